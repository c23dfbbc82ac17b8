"""Puts together what the pages for administrators read, and what their forms act upon."""

from collections.abc import Sequence
from datetime import datetime

from events.kafka.messages import Message
from events.kafka.parking import Parking
from services.bootstrap.parts import Parts, now
from services.decision.forms.administering import administering_router
from services.decision.forms.administering.ports import Desk
from services.directory.delegations import Delegations
from services.queue.figures.api import figures_router
from services.queue.figures.counting import Counting
from services.queue.figures.reading import Figures
from services.queue.pages.admin.channels import ChannelReads
from services.queue.pages.admin.keys import KeyPages
from services.queue.pages.admin.listings import parked_for
from services.queue.pages.admin.ports import Office
from services.queue.pages.admin.routes import admin_router, make_frame
from services.queue.pages.rendering import Pages
from services.sources.desk import SourceDesk
from services.web.actions import Actions
from services.web.app import authenticated
from services.web.problems import Problem
from services.webhooks.registry import Registry
from services.webhooks.replay import Replays
from services.webhooks.shapes import WebhookView


class WebhookDesk:
    """The registry and the replays of webhooks, as administrators use them."""

    def __init__(self, registry: Registry, replays: Replays) -> None:
        self._registry = registry
        self._replays = replays

    async def enable(self, workspace: str, webhook_id: str) -> str:
        """Let an endpoint be told again, and return its address."""
        return _there(await self._registry.enable(workspace, webhook_id)).url

    async def address(self, workspace: str, webhook_id: str) -> str:
        """Return the address of an endpoint that can be told."""
        return (await self._active(workspace, webhook_id)).url

    async def replay(self, workspace: str, webhook_id: str, message_id: str) -> int:
        """Tell one message again, and return how many that was."""
        view = await self._active(workspace, webhook_id)
        return (await self._replays.by_ids(workspace, view, [message_id])).count

    async def replay_between(
        self, workspace: str, webhook_id: str, since: datetime, until: datetime
    ) -> tuple[int, bool]:
        """Tell what happened in a time again; return how much, and whether that was not all."""
        view = await self._active(workspace, webhook_id)
        told = await self._replays.between(workspace, view, since, until, None)
        return told.count, told.cursor is not None

    async def _active(self, workspace: str, webhook_id: str) -> WebhookView:
        view = _there(await self._registry.show(workspace, webhook_id))
        if view.status == "disabled":
            raise Problem(409, "disabled", "This webhook is disabled. Enable it, then replay.")
        return view


def _there(view: WebhookView | None) -> WebhookView:
    if view is None:
        raise Problem(404, "not_found", "There is no such webhook.")
    return view


def show_administration(parts: Parts, pages: Pages) -> None:
    """Add the pages, the figures, and what counts these."""
    office = _office(parts)
    frame = make_frame(pages, parts.directories, parts.sessions, office, now)
    parts.routers.append(admin_router(frame, office))
    parts.routers.append(figures_router(office.figures, authenticated(parts.keys)))
    parts.supervisor.start("figures", Counting(parts.worker_db).run)


def take_administration(parts: Parts, pages: Pages) -> None:
    """Add the forms."""
    office = _office(parts)
    frame = make_frame(pages, parts.directories, parts.sessions, office, now)
    replays = Replays(parts.app_db, parts.worker_db, now)
    desk = Desk(
        source_names=office.source_names,
        sources=SourceDesk(parts.app_db),
        webhooks=WebhookDesk(Registry(parts.app_db, now), replays),
        parked=Parking(parts.worker_db),
        parked_for=parked_for,
        send=lambda messages: _send(parts, messages),
        delegations=Delegations(parts.app_db),
        keys=parts.keys,
        actions=Actions(parts.app_db),
    )
    keys = KeyPages(frame, office.keys)
    parts.routers.append(administering_router(desk, pages, keys, parts.sessions, frame.admit))


def _office(parts: Parts) -> Office:
    return Office(
        source_names=[(one.workspace, one.name) for one in parts.config.sources],
        channel_names=[one if isinstance(one, str) else one.name for one in parts.config.channels],
        sources=SourceDesk(parts.app_db),
        channels=ChannelReads(parts.app_db),
        webhooks=Registry(parts.app_db, now),
        parked=Parking(parts.worker_db),
        absences=Delegations(parts.app_db),
        keys=parts.keys,
        figures=Figures(parts.app_db, now),
        actions=Actions(parts.app_db),
    )


async def _send(parts: Parts, messages: Sequence[Message]) -> None:
    """Put messages into Kafka by a producer of their own: it is seldom needed."""
    producer = await parts.producer()
    try:
        await producer.send(messages)
    finally:
        await producer.close()
