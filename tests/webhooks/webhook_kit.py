"""Webhooks on a real Postgres, with a fake that takes the posts and a clock that a test moves."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from events.approval import ApprovalEvent
from events.envelope import Recorded
from events.kafka.consumer import Delivered
from events.kafka.messages import messages
from events.store import Append
from events.store.database import Database
from events.store.log import PostgresLog
from events.store.postgres import PostgresStore
from services.decision.asking import new_approval_id
from services.outgoing.signing import new_secret
from services.webhooks.endpoints import Signing, callback_endpoint
from services.webhooks.messages import BY_DEFAULT
from services.webhooks.registry import Registry
from services.webhooks.replay import Replays
from services.webhooks.service import Webhooks
from services.webhooks.shapes import DeliveryView, WebhookView

WORKSPACE = "acme"
WITHIN_S = 20.0
PUBLIC_URL = "https://placet.example.com"


class Clock:
    """The time, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def turn(self, **more: float) -> None:
        self.ahead += timedelta(**more)


@dataclass(frozen=True)
class FakeAnswer:
    """What an endpoint answers."""

    status: int | None = 200
    error: str | None = None
    body: bytes = b"ok"
    duration_s: float = 0.001
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Post:
    """What an endpoint got."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


Behaviour = Callable[[Post], Awaitable[FakeAnswer]]


async def fine(_: Post) -> FakeAnswer:
    return FakeAnswer()


def answering(status: int, **more: Any) -> Behaviour:
    """Always answers so."""

    async def answer(_: Post) -> FakeAnswer:
        return FakeAnswer(status=status, **more)

    return answer


async def hanging(_: Post) -> FakeAnswer:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError("nobody wakes it")


@dataclass
class FakeDeliver:
    """Takes the posts; `behaviours` say what each URL answers."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    closed: bool = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> FakeAnswer:
        got = Post(url, dict(headers), body)
        self.posts.append(got)
        return await self.behaviours.get(url, fine)(got)

    def to(self, url: str) -> list[Post]:
        return [one for one in self.posts if one.url == url]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True


class Office:
    """Everything of the service, and an approval store to feed it from."""

    def __init__(self, app_db: Database, worker_db: Database, **settings: Any) -> None:
        self.app_db = app_db
        self.worker_db = worker_db
        self.clock = Clock()
        self.deliver = FakeDeliver()
        self.store = PostgresStore(app_db)
        self.log = PostgresLog(worker_db)
        self.registry = Registry(app_db, self.clock)
        self.webhooks = Webhooks(
            database=worker_db,
            deliver=lambda: self.deliver,
            clock=self.clock,
            public_url=PUBLIC_URL,
            draw=lambda: 0.5,
            **settings,
        )
        self.replays = Replays(app_db, worker_db, self.clock)
        self._versions: dict[tuple[str, str], int] = {}

    async def subscribe(
        self, url: str = "https://a.example.com/hook", *, workspace: str = WORKSPACE, **more: Any
    ) -> WebhookView:
        made = await self.registry.add(
            workspace,
            url=url,
            event_types=more.get("event_types", BY_DEFAULT),
            types=more.get("types", ()),
            requester=more.get("requester"),
            description="",
            secret=more.get("secret", new_secret()),
        )
        assert made is not None
        return made

    async def happen(
        self, *events: ApprovalEvent, approval_id: str | None = None, workspace: str = WORKSPACE
    ) -> list[Recorded]:
        """Store events of one approval; nobody is told of them yet."""
        one = approval_id or new_approval_id(datetime.now(UTC))
        before = self._versions.get((workspace, one), 0)
        await self.store.append(
            workspace,
            [Append(approval_id=one, expected_version=before, events=events, command_id="test")],
        )
        self._versions[workspace, one] = before + len(events)
        return list((await self.store.read(workspace, [one], before))[one])

    async def tell(
        self, *events: ApprovalEvent, approval_id: str | None = None, workspace: str = WORKSPACE
    ) -> list[Recorded]:
        """Store events and hand them over as Kafka would."""
        happened = await self.happen(*events, approval_id=approval_id, workspace=workspace)
        assert await self.webhooks.handle(as_messages(happened)) == []
        return happened

    async def logged(self) -> None:
        while await self.log.sequence(1000):
            pass

    async def deliveries(
        self, webhook: WebhookView, *, workspace: str = WORKSPACE, **more: Any
    ) -> Sequence[DeliveryView]:
        found, _ = await self.registry.deliveries(
            workspace,
            webhook.id,
            state=more.get("state"),
            limit=more.get("limit", 100),
            cursor=None,
        )
        return found

    async def states(self, webhook: WebhookView) -> list[str]:
        return [one.state for one in await self.deliveries(webhook)]

    async def callback(self, url: str, workspace: str = WORKSPACE) -> WebhookView:
        """The endpoint that a callback's URL belongs to."""
        endpoint_id = callback_endpoint(workspace, url, Signing()).endpoint_id
        found = await self.registry.show(workspace, endpoint_id)
        assert found is not None
        return found

    async def settle(self) -> None:
        """Send what is due until nothing more is, and write everything down."""

        async def look() -> bool:
            await self.webhooks.results.flush()
            taken = await self.webhooks.sweeper.sweep()
            return not taken and not self.webhooks.lanes.under_way

        await eventually(look, "everything that is due is sent")
        await self.webhooks.results.flush()


@asynccontextmanager
async def sending(office: Office) -> AsyncIterator[Office]:
    """Let it send; a test writes down and sweeps by `settle`."""
    task = asyncio.create_task(office.webhooks.run_sending())
    await asyncio.sleep(0)
    await eventually_now(lambda: office.webhooks.lanes.room(("", "")) > 0, "it sends")
    try:
        yield office
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await office.webhooks.close()


@asynccontextmanager
async def at_work(office: Office) -> AsyncIterator[Office]:
    """Let all of its loops run, as in production."""
    loops = (
        office.webhooks.results.run,
        office.webhooks.sweeper.run,
        office.webhooks.reconciler.run,
    )
    async with sending(office):
        tasks = [asyncio.create_task(loop()) for loop in loops]
        try:
            yield office
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def as_messages(events: Sequence[Recorded]) -> list[Delivered]:
    """Events as a consumer of `approval.log` gets them."""
    found = []
    for offset, one in enumerate(events):
        logged = messages(offset + 1, one)[0]
        found.append(
            Delivered(logged.topic, 0, offset, logged.key, logged.value, list(logged.headers))
        )
    return found


async def eventually(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """What a look finds, as soon as it finds something."""
    try:
        async with asyncio.timeout(WITHIN_S):
            while True:
                if found := await look():
                    return found
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {WITHIN_S:g} s: {what}") from None


async def eventually_now(look: Callable[[], Any], what: str) -> Any:
    """The same for a look that waits for nothing."""

    async def looking() -> Any:
        return look()

    return await eventually(looking, what)
