"""A Slack, an approval system and the routes between them, in one process without Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import httpx2

from services.channels.slack import limits
from services.channels.slack.api import SlackApi
from services.channels.slack.channel import SlackChannel
from services.channels.slack.people import People
from services.decision.answering import Answering
from services.decision.asking import Asking
from services.decision.changing import Changing
from services.decision.surfaces.slack import Accounts, SlackSurface
from services.directory import Directory, FixedDirectories
from services.web.app import make_app
from tests.notifier.fakes import AMARA, WORKSPACE, World
from tests.servers.fake_slack import SIGNING_SECRET, TOKEN, FakeSlack, slack_running

NAME = "slack"
AMARAS = "U0AMARA"
BOS = "U0BO"
JANES = "U0JANE"


@dataclass
class SlowSource:
    """Carries answers out as slowly as a test says, and notes which."""

    seconds: float = 0.0
    told: list[str] = field(default_factory=list)

    async def carry_out(self, workspace: str, approval_id: str) -> None:  # noqa: ARG002 # there is one
        await asyncio.sleep(self.seconds)
        self.told.append(approval_id)


class CardRows:
    """What was sent, as the notifier of the world keeps it."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def sent(
        self, workspace: str, approval_id: str, approver: str, channel: str
    ) -> Mapping[str, str]:
        rows = await self._world.cards.of([(workspace, approval_id)])
        return {
            row.revision: row.digest
            for row in rows
            if (row.approver, row.channel) == (approver, channel)
        }


@dataclass
class SlackWorld:
    """All of it; `world.deliver()` lets the notifier see what happened."""

    slack: FakeSlack
    world: World
    source: SlowSource
    api: SlackApi
    channel: SlackChannel

    async def asked(self, **more: object) -> str:
        """An approval of Amara's, whose card is out."""
        approval_id = await self.world.ask(AMARA, **more)  # type: ignore[arg-type]
        await self.world.deliver()
        return approval_id


@asynccontextmanager
async def slack_world(directory: Directory | None = None) -> AsyncIterator[SlackWorld]:
    """A Slack in which Amara, Bo and Jane are; `directory` is who is known here."""
    people = FixedDirectories(WORKSPACE, directory or Directory())
    world = World()
    source = SlowSource()

    def clock() -> float:
        return world.clock().timestamp()

    async def post(body: str, headers: dict[str, str]) -> httpx2.Response:
        return await http.post(f"/channels/{NAME}/interactions", content=body, headers=headers)

    # A second between two messages to somebody is the pacing's own test.
    with patch.object(limits, "POSTS_APART_S", 0.0):
        async with slack_running(post, clock) as slack:
            slack.join(AMARAS, "amara@example.com")
            slack.join(BOS, "bo@example.com")
            slack.join(JANES, "jane@example.com")
            api = SlackApi(TOKEN, f"{slack.url}/api")
            channel = SlackChannel(NAME, WORKSPACE, api, People(api))
            world.channels = [channel]
            world.restart()
            answering = Answering(world.store, source, world.clock, directories=people)
            asking = Asking(world.store, world.clock, directories=people)
            surface = SlackSurface(
                NAME,
                WORKSPACE,
                signing_secret=SIGNING_SECRET,
                api=api,
                accounts=Accounts(NAME, WORKSPACE, api, People(api), people),
                cards=CardRows(world),
                answering=answering,
                changing=Changing(world.store, asking, world.clock, people),
                clock=world.clock,
            )
            transport = httpx2.ASGITransport(make_app([surface.router()]))
            http = httpx2.AsyncClient(transport=transport, base_url="https://placet.example.com")
            try:
                async with http:
                    yield SlackWorld(slack, world, source, api, channel)
            finally:
                await answering.close()
                await api.close()
            assert slack.faults == []
