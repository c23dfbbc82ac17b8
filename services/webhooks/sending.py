"""Makes one attempt: signs, posts, and says what the answer means for the delivery."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Protocol

from services.outgoing.signing import sign
from services.webhooks.deliveries import DeliveryKey, Job, Outcome, State
from services.webhooks.lanes import Lanes, Sent
from services.webhooks.results import Results
from services.webhooks.schedule import Draw, next_try_in

MARGIN_S = 5.0
"""What is left of a lease after the longest attempt, to write down how it ended."""


class Answered(Protocol):
    """What an endpoint answered: see `services.outgoing.delivering.Answer`."""

    @property
    def status(self) -> int | None:
        """Status code; None where there was no answer."""
        ...

    @property
    def error(self) -> str | None:
        """What happened instead of an answer."""
        ...

    @property
    def body(self) -> bytes:
        """Its first bytes."""
        ...

    @property
    def duration_s(self) -> float:
        """How long it took."""
        ...

    @property
    def retry_after_s(self) -> float | None:
        """How long the endpoint asks to be left alone."""
        ...


class Deliver(Protocol):
    """What posts: see `services.outgoing.delivering.Delivering`."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """Post, and return what came of it."""
        ...


class Sender:
    """The attempts of one process, and what it has in its hands."""

    def __init__(
        self,
        *,
        lanes: Lanes,
        results: Results,
        clock: Callable[[], datetime],
        draw: Draw,
        timeout_s: float,
    ) -> None:
        self._lanes = lanes
        self._results = results
        self._clock = clock
        self._draw = draw
        self._needs = timedelta(seconds=timeout_s + MARGIN_S)
        self._in_hand: set[DeliveryKey] = set()
        self._deliver: Deliver | None = None

    def open(self, deliver: Deliver) -> None:
        """Begin to send."""
        self._deliver = deliver
        self._lanes.open(self.send)

    async def close(self, grace_s: float) -> None:
        """End, giving what is under way a while."""
        await self._lanes.close(grace_s)
        self._deliver = None

    def hand_over(self, job: Job) -> None:
        """Take a job for which the lanes kept room."""
        if job.key in self._in_hand:
            self._lanes.unreserve(job.endpoint.key)
            return
        self._in_hand.add(job.key)
        self._lanes.put(job)

    def let_go(self, keys: Iterable[DeliveryKey]) -> None:
        """Forget what was written down."""
        self._in_hand.difference_update(keys)

    async def send(self, job: Job) -> Sent:
        """Make an attempt, unless too little is left of the lease for it."""
        now = self._clock()
        if self._deliver is None or now > job.leased_until - self._needs:
            self._results.give_back([job])
            return Sent(ok=None)
        answer = await self._deliver.post(job.url, _headers(job, now), job.body)
        outcome = self._outcome(job, now, answer)
        self._results.add(outcome)
        if outcome.state == "delivered":
            return Sent(ok=True)
        return Sent(ok=False, rest_s=answer.retry_after_s)

    def _outcome(self, job: Job, at: datetime, answer: Answered) -> Outcome:
        now = self._clock()
        state: State = "failed"
        due_at = now
        is_gone = answer.status == HTTPStatus.GONE
        if answer.status is not None and 200 <= answer.status < 300:  # noqa: PLR2004 # the success codes
            state = "delivered"
        elif is_gone and job.endpoint.kind == "subscription":
            state = "held"
        elif not is_gone:
            delay_s = next_try_in(job.tries + 1, answer.retry_after_s, self._draw)
            if delay_s is not None:
                state, due_at = "waiting", now + timedelta(seconds=delay_s)
        return Outcome(
            number=job.number,
            key=job.key,
            state=state,
            due_at=due_at,
            at=at,
            status=answer.status,
            error=answer.error,
            duration_s=answer.duration_s,
            answer=answer.body,
            is_gone=is_gone and job.endpoint.kind == "subscription",
        )


def _headers(job: Job, now: datetime) -> dict[str, str]:
    timestamp = int(now.timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": job.message_id,
        "webhook-timestamp": str(timestamp),
    }
    secrets = job.endpoint.signing.secrets(now)
    if secrets:
        headers["webhook-signature"] = sign(job.message_id, timestamp, job.body, secrets)
    return headers
