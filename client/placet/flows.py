"""What is done step by step, once for both clients: a generator of calls to send and pauses.

A client drives it: it sends what is yielded and gives the answer back, or throws what went wrong
in sending. So retries, waits and gates are written once, and know neither sockets nor event loops.
"""

import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from placet.answers import RETRIED, Answer, result, retry_after
from placet.call import Call
from placet.errors import Unavailable
from placet.questions import OnQuestion, Question
from placet.settings import Settings

T = TypeVar("T")

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
LONGEST_RETRY_AFTER_S = 60.0
"""A server that wants to be left alone for longer is reported, not waited for."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send this call, and give up on its answer after some seconds."""

    call: Call[Any]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell somebody what an approver asks back; what they say is given back."""

    question: Question
    listener: OnQuestion


Flow = Generator[Send | Pause | Tell, Answer | str | None, T]


def exchange(settings: Settings, call: Call[T], *, until: float | None = None) -> Flow[T]:
    """Send a call until it is answered, and return what it was made for.

    What failed on the way, and 429, 502, 503 and 504, are tried again with growing pauses and as
    `Retry-After` says, a bounded number of times and not beyond `until` (monotonic). Raises
    `Unavailable` after that, and `PlacetError` for what the server refused.
    """
    attempt = 1
    while True:
        asked_for: float | None = None
        failure: httpx2.RequestError | None = None
        answer: Answer | None = None
        try:
            came = yield Send(call, call.held_s + _patience(settings, until))
            answer = came if isinstance(came, Answer) else None
        except httpx2.RequestError as error:
            failure = error
        if answer is not None:
            if answer.status not in RETRIED:
                return result(call, answer)
            asked_for = retry_after(answer)
        pause = max(_pause(attempt), asked_for or 0)
        late = until is not None and time.monotonic() + pause >= until
        if attempt >= settings.attempts or late or pause > LONGEST_RETRY_AFTER_S:
            if answer is not None:
                return result(call, answer)  # raises what it says
            raise Unavailable(
                f"Placet at {settings.url} was not reached "
                f"({type(failure).__name__}, attempt {attempt}): see that it runs, and that "
                "PLACET_URL or `url` names it."
            ) from failure
        attempt += 1
        yield Pause(pause)


def _patience(settings: Settings, until: float | None) -> float:
    """Return how long to wait for an answer beyond what the server was asked to hold it back."""
    if until is None:
        return settings.timeout_s
    return min(settings.timeout_s, max(1.0, until - time.monotonic()))


def _pause(attempt: int) -> float:
    most = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (attempt - 1))
    return most * random.uniform(0.5, 1)  # noqa: S311 # spreads retries, hides nothing
