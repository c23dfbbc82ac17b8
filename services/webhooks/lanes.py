"""Sends to many endpoints at once, each in a lane of its own: a slow one delays no other."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.webhooks.deliveries import Job
from services.webhooks.endpoints import Key

PLACES = 8
"""Requests under way to one endpoint."""
PROBES = 2
"""The same, where the last one failed."""
ALL_PROBES = 128
"""Requests under way to all endpoints whose last one failed."""
QUICK_PLACES = 256
"""Requests under way that are younger than `SLOW_S`."""
SLOW_PLACES = 640
"""Requests that took longer and left their place to others."""
SLOW_S = 1.0
QUEUED = 200
"""Jobs that wait for one endpoint."""
SLOW_QUEUED = 4
"""The same for an endpoint that answers slowly or not at all."""
ALL_QUEUED = 4000
LANES = 10_000
LONGEST_REST_S = 300.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """How sending ended: None for `ok` where nothing was sent; how long to leave it alone."""

    ok: bool | None
    rest_s: float | None = None


Send = Callable[[Job], Awaitable[Sent]]


@dataclass(slots=True, eq=False)
class _Lane:
    key: Key
    queue: deque[Job] = field(default_factory=deque)
    reserved: int = 0
    flying: int = 0
    healthy: bool = True
    quick: bool = True
    behind: bool = False
    in_turn: bool = False
    rests_until: datetime | None = None

    @property
    def places(self) -> int:
        return PLACES if self.healthy else PROBES

    @property
    def spare(self) -> int:
        most = QUEUED if self.quick else SLOW_QUEUED
        return most - len(self.queue) - self.reserved

    @property
    def is_plain(self) -> bool:
        """Whether forgetting the lane forgets nothing."""
        idle = not (self.queue or self.reserved or self.flying)
        return idle and self.healthy and self.quick and self.rests_until is None


@dataclass(slots=True, eq=False)
class _Flight:
    lane: _Lane
    job: Job
    is_probe: bool
    is_slow: bool = False
    holds_quick: bool = True
    timer: asyncio.TimerHandle | None = None


class Lanes:
    """The queues and the requests under way of one process, all of them bounded.

    `shed` is given what must wait elsewhere after all, `wake` is called when there is room for an
    endpoint that had none. Nothing is taken before `open`.
    """

    def __init__(
        self,
        *,
        shed: Callable[[Sequence[Job]], None],
        wake: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._shed = shed
        self._wake = wake
        self._clock = clock
        self._send: Send | None = None
        self._lanes: dict[Key, _Lane] = {}
        self._turns: deque[_Lane] = deque()
        self._probe_turns: deque[_Lane] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._queued = 0
        self._quick = 0
        self._slow = 0
        self._probes = 0
        self._was_full = False

    def open(self, send: Send) -> None:
        """Begin to take jobs and to send them."""
        self._send = send
        self._wake()

    async def close(self, grace_s: float) -> None:
        """Take nothing more, give back what waits, and let what is under way end for a while."""
        self._send = None
        for lane in self._lanes.values():
            self._empty(lane)
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def room(self, key: Key) -> int:
        """Return how many jobs for an endpoint would be taken now."""
        if self._send is None:
            return 0
        spare = ALL_QUEUED - self._queued
        lane = self._lanes.get(key)
        if lane is None:
            return max(0, min(QUEUED, spare))
        if self._rests(lane):
            return 0
        return max(0, min(lane.spare, spare))

    def reserve(self, key: Key) -> bool:
        """Keep room for one job, to be filled by `put` or left by `unreserve`."""
        if self.room(key) == 0:
            self.note_behind(key)
            return False
        self._lane(key).reserved += 1
        self._queued += 1
        return True

    def unreserve(self, key: Key) -> None:
        """Leave the room that was kept."""
        lane = self._lanes[key]
        lane.reserved -= 1
        self._queued -= 1
        self._forget(lane)

    def put(self, job: Job) -> None:
        """Queue a job in the room that was kept for it."""
        lane = self._lanes[job.endpoint.key]
        lane.reserved -= 1
        if self._send is None:
            self._queued -= 1
            self._shed([job])
            return
        lane.queue.append(job)
        self._pump(lane)

    def note_behind(self, key: Key) -> None:
        """Remember to ask for what else waits for an endpoint when there is room."""
        lane = self._lanes.get(key)
        if lane is not None:
            lane.behind = True
        if self._queued >= ALL_QUEUED:
            self._was_full = True

    def drop(self, key: Key) -> None:
        """Give back whatever waits for an endpoint."""
        lane = self._lanes.get(key)
        if lane is not None:
            self._empty(lane)
            self._forget(lane)

    @property
    def under_way(self) -> int:
        """How many requests are under way."""
        return len(self._tasks)

    def _lane(self, key: Key) -> _Lane:
        lane = self._lanes.get(key)
        if lane is None:
            if len(self._lanes) >= LANES:
                self._forget_idle()
            lane = self._lanes[key] = _Lane(key)
        return lane

    def _rests(self, lane: _Lane) -> bool:
        if lane.rests_until is not None and self._clock() >= lane.rests_until:
            lane.rests_until = None
        return lane.rests_until is not None

    def _pump(self, lane: _Lane) -> None:
        if self._rests(lane):
            self._empty(lane)
        self._line_up(lane)
        self._give_turns()

    def _line_up(self, lane: _Lane) -> None:
        """Let a lane that could start a job wait for its turn."""
        if lane.queue and lane.flying < lane.places and not lane.in_turn:
            lane.in_turn = True
            (self._turns if lane.healthy else self._probe_turns).append(lane)

    def _leave_line(self, lane: _Lane) -> None:
        if lane.in_turn:
            lane.in_turn = False
            (self._turns if lane.healthy else self._probe_turns).remove(lane)

    def _give_turns(self) -> None:
        """Start one job for each lane in turn, for as long as there are places."""
        while self._next(self._turns) or self._next(self._probe_turns):
            continue

    def _next(self, turns: deque[_Lane]) -> bool:
        """Let the first in a line start a job; False where nobody can."""
        send = self._send
        if send is None or not turns or self._quick >= QUICK_PLACES:
            return False
        if turns is self._probe_turns and self._probes >= ALL_PROBES:
            return False
        lane = turns.popleft()
        lane.in_turn = False
        if lane.queue and lane.flying < lane.places:
            self._start(lane, send)
        self._line_up(lane)
        return True

    def _start(self, lane: _Lane, send: Send) -> None:
        flight = _Flight(lane, lane.queue.popleft(), is_probe=not lane.healthy)
        lane.flying += 1
        self._queued -= 1
        self._quick += 1
        self._probes += flight.is_probe
        flight.timer = asyncio.get_running_loop().call_later(SLOW_S, self._is_slow, flight)
        task = asyncio.create_task(self._fly(flight, send))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fly(self, flight: _Flight, send: Send) -> None:
        sent = Sent(ok=False)
        try:
            sent = await send(flight.job)
        except asyncio.CancelledError:
            self._shed([flight.job])
            raise
        except Exception:
            logger.exception("a webhook to %s could not be sent", flight.lane.key[1])
            self._shed([flight.job])
        finally:
            self._land(flight, sent)

    def _land(self, flight: _Flight, sent: Sent) -> None:
        lane = flight.lane
        if flight.timer is not None:
            flight.timer.cancel()
        lane.flying -= 1
        self._probes -= flight.is_probe
        if flight.holds_quick:
            self._quick -= 1
        else:
            self._slow -= 1
        if sent.ok is not None:
            lane.quick = not flight.is_slow
            if lane.healthy is not sent.ok:
                self._leave_line(lane)
                lane.healthy = sent.ok
        if sent.rest_s:
            lane.rests_until = self._clock() + timedelta(seconds=min(sent.rest_s, LONGEST_REST_S))
            self._empty(lane)
        self._pump(lane)
        self._call_for_more(lane)
        self._forget(lane)

    def _is_slow(self, flight: _Flight) -> None:
        """Let others use the place of a request that takes long, and queue less behind it."""
        lane = flight.lane
        flight.is_slow = True
        lane.quick = False
        if self._slow < SLOW_PLACES:
            flight.holds_quick = False
            self._quick -= 1
            self._slow += 1
        if len(lane.queue) > SLOW_QUEUED:
            self._empty(lane, but=SLOW_QUEUED)
        self._give_turns()

    def _empty(self, lane: _Lane, but: int = 0) -> None:
        given = [lane.queue.pop() for _ in range(len(lane.queue) - but)]
        self._queued -= len(given)
        if given:
            lane.behind = True
            self._shed(given)

    def _call_for_more(self, lane: _Lane) -> None:
        if lane.behind and lane.spare > 0 and len(lane.queue) <= QUEUED // 4:
            lane.behind = False
            self._wake()
        if self._was_full and self._queued <= ALL_QUEUED // 2:
            self._was_full = False
            self._wake()

    def _forget(self, lane: _Lane) -> None:
        if lane.is_plain and not lane.in_turn and not lane.behind:
            self._lanes.pop(lane.key, None)

    def _forget_idle(self) -> None:
        idle = [
            key
            for key, lane in self._lanes.items()
            if not (lane.queue or lane.reserved or lane.flying or lane.in_turn)
        ]
        for key in idle:
            del self._lanes[key]
