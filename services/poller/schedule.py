"""Polls and sweeps every source in its own pace, for as long as this process holds it."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NoReturn

from events.store import Unavailable
from services.poller.checkpoints import Checkpoint, Checkpoints, LeaseLost
from services.poller.intake import Intake, Outlets, Tally
from services.poller.lease import Lease
from services.poller.pace import LONGEST_BACKOFF_S, Pace, spread
from services.poller.poll import poll
from services.poller.sweep import Doubtful, sweep
from services.sources import Source, SourceRefused, SourceUnavailable
from services.sources.definition import SourceDefinition

LEASE_TTL_S = 15.0
LONGEST_PASS_S = 1800.0

log = logging.getLogger(__name__)

Kind = Literal["poll", "sweep"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A source and how often it is asked, in seconds; without `interval` it is only swept."""

    source: Source
    interval: float | None
    sweep_interval: float


def plan_of(definition: SourceDefinition, source: Source) -> Plan:
    """Return the plan that a source file makes."""
    listing = definition.file.listing
    return Plan(
        source=source,
        interval=None if listing.cursor is None else listing.interval,
        sweep_interval=listing.sweep.interval,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PassReport:
    """One pass, for whoever counts them; `error` is None when it succeeded."""

    workspace: str
    source: str
    kind: Kind
    seconds: float
    tally: Tally
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poller:
    """Works through plans; any number of these may run, in any number of processes.

    `owner` must differ between them. `on_pass` is told of each pass.
    """

    plans: Sequence[Plan]
    checkpoints: Checkpoints
    outlets: Outlets
    owner: str
    lease_ttl: float = LEASE_TTL_S
    on_pass: Callable[[PassReport], None] = field(default=lambda _: None)

    async def run(self) -> None:
        """Poll until cancelled; then give every source back at once."""
        async with asyncio.TaskGroup() as group:
            for plan in self.plans:
                group.create_task(self._tend(plan), name=f"poller {plan.source.name}")

    async def _tend(self, plan: Plan) -> NoReturn:
        source = plan.source
        lease = Lease(self.checkpoints, source.workspace, source.name, self.owner, self.lease_ttl)
        while True:
            state = await lease.acquired()
            try:
                # A new intake: what an earlier one remembers may be older than what others did.
                intake = Intake(source, self.outlets)
                rounds = _Rounds(plan, intake, lease, state, self.on_pass)
                await lease.hold(rounds.run)
            except LeaseLost:
                log.info("%s: another poller works on it, or it is paused", source.name)
            except Exception:
                log.exception("%s: the poller failed, and begins again", source.name)
                await asyncio.sleep(spread(LONGEST_BACKOFF_S))


class _Rounds:
    """Passes over one source, one at a time."""

    def __init__(
        self,
        plan: Plan,
        intake: Intake,
        lease: Lease,
        state: Checkpoint,
        on_pass: Callable[[PassReport], None],
    ) -> None:
        self._source = plan.source
        self._intake = intake
        self._lease = lease
        self._state = state
        self._on_pass = on_pass
        self._sweep = Pace(plan.sweep_interval, self._first(state.swept_at, plan.sweep_interval))
        self._poll: Pace | None = None
        if plan.interval is not None:
            self._poll = Pace(plan.interval, self._first(state.polled_at, plan.interval))
            if state.cursor is None:
                self._sweep.due_at = time.monotonic()

    async def run(self) -> None:
        """Go on for ever; raises `LeaseLost`."""
        while True:
            kind, pace = self._next()
            if await self._is_wanted(before=pace.due_at):
                self._due_at_once()
                continue
            await self._pass(kind, pace)
            await self._save()

    async def _is_wanted(self, *, before: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(before - time.monotonic(), 0.0)):
                await self._lease.wanted.wait()
        return self._lease.wanted.is_set()

    def _due_at_once(self) -> None:
        self._lease.wanted.clear()
        self._state = replace(self._state, wanted_at=self._lease.wanted_at)
        for pace in (self._poll, self._sweep):
            if pace is not None:
                pace.due_at = time.monotonic()

    def _first(self, last: datetime | None, interval: float) -> float:
        if last is None:
            return time.monotonic()
        ago = (self._intake.outlets.clock() - last).total_seconds()
        return time.monotonic() + min(max(interval - ago, 0.0), interval)

    def _next(self) -> tuple[Kind, Pace]:
        # Nothing to poll from: the first pass is a sweep.
        nowhere = self._state.cursor is None and self._state.swept_at is None
        if self._poll is None or nowhere or self._sweep.due_at <= self._poll.due_at:
            return "sweep", self._sweep
        return "poll", self._poll

    async def _pass(self, kind: Kind, pace: Pace) -> None:
        tally = Tally()
        began = time.monotonic()
        error: str | None = None
        retry_after: float | None = None
        try:
            async with asyncio.timeout(LONGEST_PASS_S):
                error = await (self._swept(tally) if kind == "sweep" else self._polled(tally))
        except SourceUnavailable as unavailable:
            error, retry_after = str(unavailable), unavailable.retry_after
        except (Unavailable, SourceRefused, Doubtful) as problem:
            error = str(problem)
        except TimeoutError:
            error = f"not done after {LONGEST_PASS_S:.0f} s"
        except Exception as failure:
            # A fault of ours with one source must not stop the others.
            log.exception("%s: the %s failed", self._source.name, kind)
            error = f"internal error ({type(failure).__name__}): see the poller's log"
        now = time.monotonic()
        if error is None:
            pace.succeeded(now)
        else:
            pace.failed(now, error, retry_after)
            self._state = replace(self._state, last_error_at=self._intake.outlets.clock())
            log.warning("%s: %s: %s", self._source.name, kind, error)
        self._on_pass(
            PassReport(
                workspace=self._source.workspace,
                source=self._source.name,
                kind=kind,
                seconds=now - began,
                tally=tally,
                error=error,
            )
        )

    async def _polled(self, tally: Tally) -> None:
        began = self._intake.outlets.clock()
        cursor = await poll(self._intake, self._state.cursor, tally)
        self._state = replace(self._state, cursor=cursor, polled_at=began)

    async def _swept(self, tally: Tally) -> str | None:
        done = await sweep(self._intake, tally)
        cursor = done.cursor if self._state.cursor is None else self._state.cursor
        self._state = replace(self._state, cursor=cursor)
        if not done.verified:
            some = "; ".join(tally.unreadable[:3])
            return f"{len(tally.unreadable)} records could not be read: {some}"
        self._state = replace(self._state, swept_at=done.began)
        return None

    async def _save(self) -> None:
        paces = [("poll", self._poll), ("sweep", self._sweep)]
        errors = [f"{name}: {pace.error}" for name, pace in paces if pace and pace.error]
        failures = max(pace.failures for _, pace in paces if pace)
        self._state = replace(
            self._state,
            last_error="; ".join(errors) or None,
            last_error_at=self._state.last_error_at if errors else None,
            failures=failures,
        )
        try:
            await self._lease.save(self._state)
        except Unavailable as error:
            # What was found is published; the next pass writes down how far it came.
            log.warning("%s: the checkpoint was not written: %s", self._source.name, error)
