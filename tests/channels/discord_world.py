"""Discord, the notifier and the decisions together: what a person presses, and what they see."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2

from events.approval import Person
from events.store import EventStore
from services.channels.discord.channel import DiscordChannel
from services.channels.discord.client import DiscordApi
from services.decision.answering import Answer, Answering
from services.decision.asking import Asking
from services.decision.changing import Changing
from services.decision.surfaces.discord import DiscordSurface
from services.directory import Directory, FixedDirectories, Member
from services.web.app import make_app
from tests.channels.discord_fake import APPLICATION, TOKEN, FakeDiscord
from tests.notifier.fakes import AMARA, BO, CAROL, WORKSPACE, World

USER = {AMARA.email: "400500600700800901", BO.email: "400500600700800902"}
STRANGER = "400500600700800909"
PATH = "/channels/discord/interactions"


class WriteBacks:
    """The source: at once, or as slow as a test wants it."""

    def __init__(self) -> None:
        self.pause_s = 0.0

    async def carry_out(self, workspace: str, approval_id: str) -> None:  # noqa: ARG002 # as asked
        await asyncio.sleep(self.pause_s)


@dataclass
class Sent:
    """The table of cards, as the surface reads it."""

    world: World

    async def sent(
        self, workspace: str, approval_id: str, approver: str, channel: str
    ) -> Mapping[str, str]:
        rows = await self.world.cards.of([(workspace, approval_id)])
        return {
            row.revision: row.digest
            for row in rows
            if (row.approver, row.channel) == (approver, channel)
        }


@dataclass
class DiscordWorld:
    discord: FakeDiscord = field(default_factory=lambda: FakeDiscord(people=set(USER.values())))

    def __post_init__(self) -> None:
        members = {
            one.email: Member(
                email=one.email,
                name=one.name,
                channels={"discord": USER[one.email]} if one.email in USER else {},
            )
            for one in (AMARA, BO, CAROL)
        }
        self.directories = FixedDirectories(WORKSPACE, Directory(members))
        self.bot = self.discord.client()
        self.channel = DiscordChannel("discord", WORKSPACE, DiscordApi(self.bot, TOKEN))
        self.world = World(channels=[self.channel], directories=self.directories)
        self.write_backs = WriteBacks()
        self.sent = Sent(self.world)
        self.use(self.world.store)

    def use(self, store: EventStore) -> None:
        """Decide in a store."""
        clock = self.world.clock
        self.answering = Answering(store, self.write_backs, clock, directories=self.directories)
        asking = Asking(store, clock, directories=self.directories)
        self.surface = DiscordSurface(
            "discord",
            public_key=self.discord.public_key,
            application_id=APPLICATION,
            workspace=WORKSPACE,
            answering=self.answering,
            changing=Changing(store, asking, clock, self.directories),
            directories=self.directories,
            cards=self.sent,
            clock=clock,
        )
        self.placet = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=make_app([self.surface.router()])),
            base_url="https://placet.example.com",
        )

    async def close(self) -> None:
        await self.answering.close()
        await self.placet.aclose()
        await self.bot.aclose()

    async def asked(self, *approvers: Person, **more: Any) -> str:
        """Ask, and let the cards go out."""
        approval_id = await self.world.ask(*approvers, **more)
        await self.world.deliver()
        assert self.discord.faults == []
        return approval_id

    async def press(
        self, label: str, *, card_of: str = USER[AMARA.email], by: str | None = None
    ) -> dict[str, Any]:
        """Press a button of somebody's card, and return what Discord is answered."""
        custom_id = self.discord.buttons_of(card_of)[label]
        return await self.pressed(custom_id, by=by or card_of)

    async def pressed(self, custom_id: str, *, by: str) -> dict[str, Any]:
        return await self.interact(
            {"type": 3, "data": {"custom_id": custom_id, "component_type": 2}}, by=by
        )

    async def submit(
        self, form: Mapping[str, Any], text: str, *, by: str = USER[AMARA.email]
    ) -> dict[str, Any]:
        """Fill in the form that a button opened."""
        (row,) = form["data"]["components"]
        (one,) = row["components"]
        filled = {"type": 4, "custom_id": one["custom_id"], "value": text}
        data = {
            "custom_id": form["data"]["custom_id"],
            "components": [{"type": 1, "components": [filled]}],
        }
        return await self.interact({"type": 5, "data": data}, by=by)

    async def interact(self, body: dict[str, Any], *, by: str) -> dict[str, Any]:
        response = await self.post(
            {
                "id": "1",
                "application_id": APPLICATION,
                # Discord sends what somebody calls themselves; anybody may call themselves Amara.
                "user": {"id": by, "username": "amara", "email": AMARA.email},
                **body,
            }
        )
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def post(self, body: object, **headers: str) -> httpx2.Response:
        content = json.dumps(body).encode()
        signed = self.discord.signed(content, self.world.clock())
        return await self.placet.post(PATH, content=content, headers={**signed, **headers})

    async def events(self, approval_id: str) -> Sequence[Any]:
        return [one.event for one in await self.world.stream(approval_id)]

    async def approve_by_api(self, approval_id: str, by: Person = BO) -> None:
        await self.answering.decide(
            WORKSPACE,
            approval_id,
            Answer(outcome="approved", by=by, reason=None, channel="api", via=None, revision=None),
        )
        self.world.clock.now += timedelta(seconds=1)
