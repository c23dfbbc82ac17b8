"""What a requester does until an approval is final: wait, and answer what is asked back."""

import logging
import math
import time
from collections.abc import Sequence

from placet import calls, flows
from placet.approval import Approval
from placet.errors import Conflict, NotDecidedInTime, Unavailable
from placet.flows import Flow, Pause, Tell, exchange
from placet.questions import OnQuestion, question_of
from placet.settings import Settings

POLL_S = 30
"""How long one question of a wait is held; proxies tend to cut what is quiet for 60 s."""
LISTEN_S = 10
"""The same where somebody listens: what is asked back does not end what the server holds."""
HURRIED_S = 1.0
"""The pause after an answer that was not held back, as of a server that is going down."""
AWAY_AT_MOST_S = 600.0
"""How long a wait goes on without any answer: a server may be started anew meanwhile."""
AFTER_EXPIRY_S = 3_600.0
"""How much longer than the approval may live a wait without `timeout` lasts at most."""
ASKED_BACK_AT_MOST_S = 30 * 86_400.0
"""How long the clock of an approval stands still at most while the requester is asked."""

logger = logging.getLogger(__name__)


class Listening:
    """Hears what is asked back about some approvals: each question once, and its answer is sent.

    `ids` are approvals that are looked at as well while another one is waited for.
    """

    def __init__(self, on_question: OnQuestion, ids: Sequence[str] = ()) -> None:
        self._on_question = on_question
        self._ids = list(ids)
        self._replies: dict[str, str | None] = {}

    def hear(self, settings: Settings, approval: Approval) -> Flow[None]:
        """Hear what stands open in an approval, and in the others.

        Raises what the listener raises, and `PlacetError` where its answer is refused.
        """
        yield from self._heard(settings, approval)
        for other in [one for one in self._ids if one != approval.id]:
            try:
                seen = yield from exchange(settings, calls.get(other))
            except Unavailable:
                continue  # the next round looks again
            if seen.is_final:
                self._ids.remove(other)
            yield from self._heard(settings, seen)

    def _heard(self, settings: Settings, approval: Approval) -> Flow[None]:
        question = question_of(approval)
        if question is None:
            return
        if question.id not in self._replies:
            said = yield Tell(question, self._on_question)
            if not isinstance(said, str | None):
                raise TypeError(
                    f"on_question returned {type(said).__name__}: return the answer as text, or "
                    "None to leave it to a person; only AsyncPlacet awaits a coroutine."
                )
            self._replies[question.id] = said
        reply = self._replies[question.id]
        if reply is None:
            return
        try:
            yield from exchange(settings, calls.answer(approval.id, reply, question.id))
        except Conflict as first:
            logger.info("%s: the answer came too late: %s", approval.id, first)
        except Unavailable as error:
            logger.warning("%s: the answer is sent again: %s", approval.id, error)


def wait(
    settings: Settings, approval_id: str, timeout: float | None, listening: Listening | None = None
) -> Flow[Approval]:
    """Return an approval once it is final; what is asked back meanwhile is for who listens.

    Goes on while the server is started anew. Raises `NotDecidedInTime` after `timeout` seconds
    (None: as long as the approval can live), and `Unavailable` when no answer came at the end of
    that time, or for ten minutes.
    """
    began = heard = time.monotonic()
    until = None if timeout is None else began + max(0.0, timeout)
    # A question may stand there already.
    held_s = POLL_S if listening is None else 0
    while True:
        left = math.inf if until is None else until - time.monotonic()
        call = calls.wait(approval_id, max(0, math.floor(min(held_s, left))))
        asked = time.monotonic()
        try:
            approval = yield from exchange(settings, call, until=until)
        except Unavailable as error:
            now = time.monotonic()
            pause = max(flows.LONGEST_PAUSE_S, error.retry_after or 0)
            if now - heard >= AWAY_AT_MOST_S or (until is not None and now + pause >= until):
                raise
            yield Pause(pause)
            continue
        came = time.monotonic()
        if approval.is_final:
            return approval
        if listening is not None:
            yield from listening.hear(settings, approval)
            held_s = LISTEN_S
        heard = time.monotonic()
        if timeout is None:
            # Again each time: an answer to a question, or another policy, gives it more time.
            until = began + _lives_s(approval) + AFTER_EXPIRY_S
        if until is not None and heard >= until:
            raise NotDecidedInTime(approval)
        left = math.inf if until is None else until - heard
        if left < 1:
            yield Pause(left)  # the server counts whole seconds
        elif came - asked < call.held_s / 2:
            yield Pause(min(left, HURRIED_S))


def answered(
    settings: Settings, approval_id: str, text: str, question_id: str | None
) -> Flow[Approval]:
    """Answer a question, or the one that stands open; the same again changes nothing."""
    if question_id is None:
        # Named, so that a repeated call answers this one, and not the next.
        question = question_of((yield from exchange(settings, calls.get(approval_id))))
        question_id = question.id if question else None
    return (yield from exchange(settings, calls.answer(approval_id, text, question_id)))


def _lives_s(approval: Approval) -> float:
    lives = (approval.expires_at - approval.created_at).total_seconds()
    return lives + (ASKED_BACK_AT_MOST_S if approval.asked_back else 0)
