"""Puts each service together from the shared parts: what it consumes, serves and repeats."""

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from events.kafka.topics import LOG, OBSERVED, REQUESTS
from events.store.log import PostgresLog
from events.store.named_sql import statements
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from projections.finding import Finding
from projections.queries import Changes, Mirror, Queries
from services.bootstrap.administration import show_administration, take_administration
from services.bootstrap.channels import make_channels, make_surfaces
from services.bootstrap.granting import connects, make_connecting, show_grants, take_grants
from services.bootstrap.links import make_links, make_stops
from services.bootstrap.parts import Parts, now
from services.bootstrap.sign_in import make_sign_in
from services.channels.outbox import Mailbox
from services.decision.absences import Absences
from services.decision.answering import Answering
from services.decision.api import decision_router
from services.decision.asking import Asking
from services.decision.bulk import bulk_router
from services.decision.changing import Changing
from services.decision.dialects import dialect_routers
from services.decision.dialects.native import Native
from services.decision.forms import forms_router
from services.decision.forms.preferring import preferring_router
from services.decision.intake import Intake
from services.decision.lifecycle import lifecycle_router
from services.decision.prevented import Prevented
from services.decision.timers import Timers
from services.decision.write_back import WriteBacks
from services.directory.delegations import Delegations
from services.directory.kept_preferences import KeptPreferences
from services.identity.passkeys import Passkeys
from services.notifier.backlog import PostgresBacklog
from services.notifier.cards import PostgresCards
from services.notifier.drawing import Look
from services.notifier.notify import ANSWERS, ASKS, Notifier
from services.outgoing.delivering import Delivering
from services.outgoing.guard import check_url, parse_allowed
from services.people.delegating import delegations_router
from services.people.importing import Imports
from services.people.listing import people_router
from services.people.notifications import notifications_router
from services.people.scim.groups import Groups
from services.people.scim.provisioning import Users
from services.people.scim.routes import PREFIX as SCIM
from services.people.scim.routes import scim_router
from services.poller.checkpoints import PostgresCheckpoints
from services.poller.intake import Outlets
from services.poller.outlet import Observations, Records
from services.poller.parking import PostgresParking
from services.poller.schedule import Poller, plan_of
from services.poller.webhook import Pushing, webhook_router
from services.projector.project import GROUP, TOGETHER, Projector, Reconciler
from services.publisher.leader import lead
from services.publisher.publish import Publisher
from services.queue.api import queue_router
from services.queue.broadcast import Broadcast
from services.queue.directory import directory_router
from services.queue.opened import PostgresOpened
from services.queue.pages.passkeys import passkeys_router
from services.queue.pages.preferences import PreferencePages
from services.queue.pages.routes import make_pages, pages_router
from services.queue.streams import Streams
from services.queue.unacknowledged import Unacknowledged
from services.queue.waits import Waits
from services.settings import HalfConfigured
from services.web.app import authenticated
from services.webhooks.lanes import QUICK_PLACES, SLOW_PLACES
from services.webhooks.redelivering import deliveries_router
from services.webhooks.registry import Registry
from services.webhooks.replay import Replays
from services.webhooks.service import Webhooks
from services.webhooks.subscribing import subscriptions_router

DECIDING = 200


def wire_decision(parts: Parts) -> None:
    """Everything that changes an approval."""
    connecting = make_connecting(parts)
    write_backs = WriteBacks(
        parts.store,
        parts.effects,
        parts.sources,
        now,
        directories=parts.directories,
        policies=parts.config.policies,
        tokens=connecting.tokens,
    )
    types = parts.config.types
    prevented = Prevented(parts.worker_db)
    parts.supervisor.start("prevented", prevented.run)
    answering = Answering(
        parts.store,
        write_backs,
        now,
        types,
        parts.directories,
        refused=prevented.note,
        accounts=connecting.tokens,
    )
    asking = Asking(parts.store, now, types, parts.directories, parts.config.policies)
    intake = Intake(
        parts.store,
        now,
        asking,
        directories=parts.directories,
        policies=parts.config.policies,
    )
    # A store of their own: what the clock does is not to stand in line before what people ask.
    own_store = PostgresStore(parts.worker_db)
    timers = Timers(parts.worker_db, own_store, parts.directories, parts.config.policies)
    absences = Absences(parts.worker_db, own_store, parts.directories, parts.config.policies, now)
    deciding = statements("projections")["deciding"]

    async def open_answers() -> list[tuple[str, str]]:
        async with parts.worker_db.connection() as connection:
            rows = await connection.fetch(deciding, DECIDING)
        return [(row["workspace"], row["approval_id"]) for row in rows]

    parts.consume("placet.decision.observed", OBSERVED.name, intake.observed)
    parts.consume("placet.decision.requests", REQUESTS.name, intake.requests)
    parts.supervisor.start("write-back", lambda: write_backs.run(open_answers))
    parts.supervisor.start("timers", timers.run)
    parts.supervisor.start("absences", absences.run)
    parts.closers.append(answering.close)
    parts.routers.append(decision_router(asking, answering, authenticated(parts.keys)))
    parts.routers.append(bulk_router(answering, authenticated(parts.keys)))
    changing = Changing(parts.store, asking, now, parts.directories)
    parts.routers.extend(make_surfaces(parts, answering, changing))
    parts.routers.append(lifecycle_router(changing, answering, authenticated(parts.keys)))
    queries = Queries(parts.app_db, parts.store)
    native = Native(asking=asking, answering=answering, queries=queries, types=types, clock=now)
    parts.routers.extend(dialect_routers(native, parts.app_db, authenticated(parts.keys)))
    opened = PostgresOpened(parts.app_db)
    pages = make_pages(
        queries, parts.directories, parts.sessions, now, parts.pauses, opened, connects(parts)
    )
    take_administration(parts, pages)
    parts.routers.extend(make_sign_in(parts, queries, pages))
    parts.routers.append(take_grants(parts, pages, connecting))
    parts.routers.append(make_links(parts, answering, pages))
    parts.routers.append(make_stops(parts, pages))
    parts.routers.append(
        forms_router(
            answering,
            changing,
            queries,
            pages,
            parts.sessions,
            parts.directories,
            Delegations(parts.app_db),
            now,
            Passkeys(parts.app_db, parts.settings.public_url),
        )
    )
    notify, channels = parts.config.notify, parts.config.channel_names
    parts.routers.append(
        preferring_router(
            KeptPreferences(parts.app_db),
            PreferencePages(pages, parts.directories, notify, channels),
            pages,
            parts.sessions,
            notify,
            channels,
            now,
        )
    )


def wire_queue(parts: Parts) -> None:
    """Everything that is asked."""
    queries = Queries(parts.app_db, parts.store)
    broadcast = Broadcast(Changes(parts.worker_db))
    parts.supervisor.start("broadcast", broadcast.run)
    unheard = Unacknowledged(parts.worker_db)
    parts.supervisor.start("unacknowledged", unheard.run)
    parts.health.gauge(
        "placet_unacknowledged_approvals",
        "Outcomes that nobody acknowledged within a minute, up to 10001; every replica tells all",
        unheard.counts,
    )
    parts.health.gauge(
        "placet_oldest_unacknowledged_seconds",
        "How long the oldest of them waits",
        unheard.ages,
    )
    # A server waits for its open answers to end before it goes down, and these two kinds end
    # only when they are told to.
    streams = Streams(broadcast, parts.closing)
    waits = Waits(queries, broadcast, parts.closing)
    parts.routers.append(queue_router(queries, waits, streams, authenticated(parts.keys)))
    config = parts.config
    parts.routers.append(
        directory_router(
            config.types, config.policies, parts.directories, authenticated(parts.keys)
        )
    )
    opened = PostgresOpened(parts.app_db)
    pages = make_pages(
        queries, parts.directories, parts.sessions, now, parts.pauses, opened, connects(parts)
    )
    show_administration(parts, pages)
    mailbox = Mailbox(parts.app_db)
    finding = Finding(parts.app_db)
    parts.routers.append(
        pages_router(pages, queries, finding, mailbox, streams, parts.sessions, now)
    )
    passkeys = Passkeys(parts.app_db, parts.settings.public_url)
    parts.routers.append(passkeys_router(pages, passkeys))
    parts.routers.append(show_grants(parts, pages).router())
    preferences = PreferencePages(pages, parts.directories, config.notify, config.channel_names)
    parts.routers.append(preferences.router())


def wire_publisher(parts: Parts) -> None:
    """The store's events into Kafka."""
    publisher = Publisher(PostgresLog(parts.worker_db), parts.producer)
    parts.supervisor.start("publisher", lambda: lead(parts.settings.postgres_dsn, publisher.run))

    async def working() -> str | None:
        return publisher.failing or parts.supervisor.failing.get("publisher")

    parts.health.check("publisher", working)
    figures: Mapping[str, tuple[str, Callable[[], int]]] = {
        "placet_log_head": ("How far the log reaches", lambda: publisher.head),
        "placet_log_published": ("How far it is published", lambda: publisher.published),
    }
    for name, (says, figure) in figures.items():
        parts.health.gauge(name, says, _single(figure))


def wire_projector(parts: Parts) -> None:
    """The read models in step with the log."""
    read_models = ReadModels(parts.worker_db)
    projector = Projector(read_models)
    reconciler = Reconciler(parts.worker_db, read_models, parts.settings.reconcile_seconds)
    parts.consume(GROUP, LOG.name, projector.handle, max_records=TOGETHER)
    parts.supervisor.start("reconciler", reconciler.run)
    parts.health.gauge(
        "placet_events_healed",
        "Events that Kafka did not bring",
        _single(lambda: reconciler.healed),
    )


def _single(figure: Callable[[], int]) -> Any:
    return lambda: iter([({}, float(figure()))])


def wire_poller(parts: Parts) -> None:
    """Systems of record, polled, swept and listened to."""
    observations = Observations(parts.producer)
    parts.closers.append(observations.close)
    outlets = Outlets(
        publish=observations.publish,
        parking=PostgresParking(parts.app_db),
        known=Records(Mirror(parts.app_db)),
        clock=now,
    )
    found = [
        (definition, parts.sources[definition.workspace, definition.name])
        for definition in parts.config.sources
    ]
    poller = Poller(
        plans=[plan_of(definition, source) for definition, source in found],
        checkpoints=PostgresCheckpoints(parts.app_db),
        outlets=outlets,
        owner=f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}",
    )
    if poller.plans:
        parts.supervisor.start("poller", poller.run)
    pushing = [Pushing(definition=definition, source=source) for definition, source in found]
    parts.routers.append(webhook_router(pushing, outlets))


def wire_notifier(parts: Parts) -> None:
    """Cards, on every channel that is configured."""
    types = parts.config.types
    notifier = Notifier(
        store=PostgresStore(parts.worker_db),
        cards=PostgresCards(parts.worker_db),
        backlog=PostgresBacklog(parts.worker_db),
        channels=make_channels(parts),
        sources=parts.sources,
        looks={
            (definition.workspace, definition.name): Look(
                template=definition.file.card, sensitive=definition.file.sensitive
            )
            for definition in parts.config.sources
        },
        type_looks={
            (types.workspace, one.name): Look(template=one.card, sensitive=one.sensitive)
            for one in types.listed()
        },
        effects=parts.effects,
        public_url=parts.settings.public_url,
        clock=now,
        directories=parts.directories,
        policies=parts.config.policies,
        defaults=parts.config.notify,
    )
    asks, answers = (partial(notifier.handle, touched_by=kinds) for kinds in (ASKS, ANSWERS))
    parts.consume("placet.notifier", LOG.name, asks)
    parts.consume("placet.notifier.answers", LOG.name, answers)
    parts.supervisor.start("notifier-retries", notifier.run_retries)
    parts.supervisor.start("notifier-sweeps", notifier.run_sweeps)
    parts.supervisor.start("notifier-digests", notifier.run_digests)


def wire_webhooks(parts: Parts) -> None:
    """Whoever waits elsewhere is told, signed, until it is heard.

    Raises `HalfConfigured` for an allow list that cannot be read.
    """
    try:
        allowed = parse_allowed(parts.settings.webhook_allow)
    except ValueError as error:
        raise HalfConfigured([f"PLACET_WEBHOOK_ALLOW: {error}"]) from error
    webhooks = Webhooks(
        database=parts.worker_db,
        deliver=lambda: Delivering(allowed, together=QUICK_PLACES + SLOW_PLACES),
        clock=now,
        public_url=parts.settings.public_url,
    )
    parts.consume("placet.webhooks", LOG.name, webhooks.handle)
    parts.supervisor.start("webhooks-sending", webhooks.run_sending)
    parts.supervisor.start("webhooks-results", webhooks.results.run)
    parts.supervisor.start("webhooks-sweeps", webhooks.sweeper.run)
    parts.supervisor.start("webhooks-reconciler", webhooks.reconciler.run)
    parts.supervisor.start("webhooks-figures", webhooks.run_looking)
    parts.closers.append(webhooks.close)
    for name, (says, gauge) in webhooks.gauges().items():
        parts.health.gauge(name, says, gauge)
    registry = Registry(parts.app_db, now)
    authenticate = authenticated(parts.keys)
    parts.routers.append(
        subscriptions_router(registry, lambda url: check_url(url, allowed), authenticate)
    )
    replays = Replays(parts.app_db, parts.worker_db, now)
    parts.routers.append(deliveries_router(registry, replays, webhooks.wake, authenticate))


def wire_people(parts: Parts) -> None:
    """Who is there and who is away, from files, identity providers and the people themselves."""
    authenticate = authenticated(parts.keys)
    imports = Imports(parts.app_db, parts.directories)
    parts.routers.append(people_router(parts.directories, imports, authenticate))
    delegations = Delegations(parts.app_db)
    parts.routers.append(delegations_router(delegations, authenticate, now))
    parts.routers.append(
        notifications_router(
            KeptPreferences(parts.app_db),
            parts.directories,
            parts.config.notify,
            parts.config.channel_names,
            authenticate,
            now,
        )
    )
    at = f"{parts.settings.public_url}{SCIM}"
    users, groups = Users(parts.app_db, at), Groups(parts.app_db, at)
    parts.routers.append(scim_router(users, groups, authenticate, at))


def wire_mcp(parts: Parts) -> None:
    """Assistants, over the public API with the key of whoever calls."""
    # What it needs costs 20 MiB, so only the process that serves it imports it.
    from services.mcp.endpoint import Endpoint  # noqa: PLC0415 # see above
    from services.mcp.placet_api import PlacetApi  # noqa: PLC0415 # see above

    api = PlacetApi(parts.settings.api_url, parts.settings.public_url)
    parts.closers.append(api.aclose)
    endpoint = Endpoint(api, parts.settings.public_url)
    parts.supervisor.start("mcp", endpoint.run)

    async def working() -> str | None:
        return parts.supervisor.failing.get("mcp")

    parts.health.check("mcp", working)
    parts.routers.append(endpoint.router())


Wire = Callable[[Parts], None]
WIRES: Mapping[str, Wire] = {
    "decision": wire_decision,
    "queue": wire_queue,
    "publisher": wire_publisher,
    "projector": wire_projector,
    "poller": wire_poller,
    "notifier": wire_notifier,
    "webhooks": wire_webhooks,
    "people": wire_people,
    "mcp": wire_mcp,
}
