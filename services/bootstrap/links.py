"""Makes e-mail channels, and the pages to which the links of their mails lead."""

from collections.abc import Sequence

from fastapi import APIRouter

from projections.approval_view import ApprovalView
from services.bootstrap.parts import Parts, now
from services.channel_files.email import EmailFile
from services.channels.email.channel import EmailChannel
from services.channels.email.notices import Notices
from services.channels.email.stopping import Stops
from services.channels.email.tokens import Tokens
from services.channels.mustache import CardTemplate
from services.decision.answering import Answering
from services.decision.surfaces.cards import SentCards
from services.decision.surfaces.link_opening import Look, Opening
from services.decision.surfaces.link_records import PostgresLinks
from services.decision.surfaces.links import Draws, LinkPages, links_router
from services.decision.surfaces.stopping import StopPages
from services.directory.kept_preferences import KeptPreferences
from services.directory.stopping import StopLinks


def email_channel(file: EmailFile, parts: Parts) -> EmailChannel:
    """Return the channel that a file describes."""
    return EmailChannel(
        file.name,
        server=file.server,
        sender=file.sender,
        tokens=Tokens(parts.worker_db),
        notices=Notices(parts.worker_db),
        public_url=parts.settings.public_url,
        clock=now,
        stops=Stops(parts.worker_db, parts.settings.public_url),
    )


def make_stops(parts: Parts, draws: Draws) -> APIRouter:
    """Return the routes of the links that end the messages on a channel."""
    kept = KeptPreferences(parts.app_db)
    return StopPages(
        StopLinks(parts.app_db, kept, parts.directories),
        draws,
        parts.config.notify,
        parts.config.channel_names,
        parts.settings.public_url,
        now,
    ).router()


def make_links(parts: Parts, answering: Answering, draws: Draws) -> APIRouter:
    """Return the routes of links: also of those that a channel sent that is there no more."""
    return links_router(
        LinkPages(
            answering=answering,
            opening=Opening(
                store=parts.store,
                links=PostgresLinks(parts.app_db),
                types=parts.config.types,
                directories=parts.directories,
                sessions=parts.sessions,
                look=_look(parts),
                public_url=parts.settings.public_url,
                clock=now,
            ),
            cards=SentCards(parts.app_db),
            draws=draws,
        )
    )


def _look(parts: Parts) -> Look:
    """Return how an approval is drawn where nobody may be signed in: as on a card that was sent."""
    files = {(one.workspace, one.name): one.file for one in parts.config.sources}
    types = parts.config.types

    def look(view: ApprovalView) -> tuple[CardTemplate | None, Sequence[str]]:
        kind = types.within(view.workspace).find(view.type)
        template = kind.card if kind is not None else None
        sensitive = kind.sensitive if kind is not None else ()
        if view.source is None:
            return template, sensitive
        file = files.get((view.workspace, view.source.name))
        if file is None:
            return None, sensitive
        return file.card, (*file.sensitive, *sensitive)

    return look
