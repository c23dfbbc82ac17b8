"""What administrators did, in sentences; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.web.actions import Action, Verb

_DONE: Mapping[Verb, str] = {
    "pause": "Paused {object} until it is resumed. Answers are still written back.",
    "resume": "Resumed {object}. It is polled within seconds.",
    "poll_now": "{object} is polled and swept within seconds.",
    "enable": "Enabled {object}. What was held meanwhile stays held: replay what is still wanted.",
    "replay": "Replayed {detail} to {object}.",
    "replay_time": "Replayed {detail} to {object}.",
    "retry": "Message {object} is on its way again. It is parked anew if it still cannot be read.",
    "retry_all": "Sent again: {object}.",
    "discard": "Discarded message {object}: {detail}",
    "end_delegation": "Ended the delegation of {object}.",
    "create_key": "Made the key {result} for {object}{detail}.",
    "revoke_key": "Revoked the key {object}. It may still open for ten seconds.",
}
_BEGUN: Mapping[Verb, str] = {
    "pause": "Pausing {object}",
    "resume": "Resuming {object}",
    "poll_now": "Polling {object} at once",
    "enable": "Enabling {object}",
    "replay": "Replaying {detail} to {object}",
    "replay_time": "Replaying {detail} to {object}",
    "retry": "Sending message {object} again",
    "retry_all": "Sending again: {object}",
    "discard": "Discarding message {object}",
    "end_delegation": "Ending the delegation of {object}",
    "create_key": "Making a key for {object}{detail}",
    "revoke_key": "Revoking the key {object}",
}
_WITH_RESULT = frozenset(("replay_time", "retry_all"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something that was done, as a page tells it."""

    sentence: str
    by: str
    at: datetime
    done: bool


def said(action: Action) -> Said:
    """Return what somebody did, or tried to do and what came of that."""
    words = {"object": action.object, "detail": action.detail, "result": action.result}
    if action.done:
        sentence = _DONE[action.verb].format(**words)
        if action.verb in _WITH_RESULT and action.result:
            sentence = f"{sentence} {action.result}"
    else:
        outcome = action.result or "It is not known whether this was done."
        sentence = f"{_BEGUN[action.verb].format(**words)}: not done. {outcome}"
        if not action.result:
            sentence = f"{_BEGUN[action.verb].format(**words)}: {outcome}"
    return Said(sentence=sentence, by=action.by_email, at=action.at, done=action.done)
