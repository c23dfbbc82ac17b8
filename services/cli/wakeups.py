"""Runs a program for each resolution that nobody has acknowledged, and acknowledges it then.

The list of the unacknowledged is what is gone by, and the stream only says when to look at it:
so nothing is lost that happens while nobody is listening.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from services.cli.asking import path_of
from services.cli.client import Failed, content_of
from services.cli.console import UNAVAILABLE, plain
from services.cli.programs import FIRST_PAUSE_S, Runs, ended, environment

PAGE = 100
MOST_IN_HAND = 1000
"""Resolutions that are read ahead; the rest is read when these are done."""
LOOK_EVERY_S = 60.0
"""Even where the stream says nothing."""
POLL_S = 5.0
"""Where there is no stream."""
SILENT_S = 45.0
"""After this long without even a comment a stream counts as broken."""
LONGEST_PAUSE_S = 60.0
REMEMBERED = 10_000
FINAL = ("approval.decided", "approval.withdrawn", "approval.expired")

Say = Callable[[str], None]


@dataclass
class Handled:
    """What became of resolutions: in hand, run but not acknowledged yet, and over."""

    in_hand: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    ran: set[str] = field(default_factory=set)
    acknowledged: dict[str, None] = field(default_factory=dict)
    given_up: dict[str, None] = field(default_factory=dict)

    def has(self, approval_id: str) -> bool:
        """Tell whether nothing is to be begun for it."""
        return any(approval_id in some for some in (self.in_hand, self.acknowledged, self.given_up))

    def acknowledge(self, approval_id: str) -> None:
        """Remember for a while: the list may still show it for a moment."""
        self.ran.discard(approval_id)
        _remember(self.acknowledged, approval_id)

    def give_up(self, approval_id: str) -> None:
        """Remember not to begin again; what was forgotten by then is begun again."""
        _remember(self.given_up, approval_id)


class Wakeups:
    """The resolutions of one principal's asks; `http` holds its key, `say` tells the operator."""

    def __init__(self, http: httpx2.AsyncClient, runs: Runs, *, say: Say) -> None:
        self._http = http
        self._runs = runs
        self._say = say
        self._handled = Handled()
        self._slots = asyncio.Semaphore(runs.concurrency)
        self._look = asyncio.Event()
        self._broken: BaseException | None = None
        self._more = False
        self._streaming = False
        self._principal = ""

    @property
    def unfinished(self) -> int:
        """How many resolutions the program kept failing at, or could not be acknowledged."""
        return len(self._handled.given_up) + len(self._handled.ran)

    async def whose(self) -> Mapping[str, Any]:
        """Return who calls, and remember whose asks these are; raises `Failed`."""
        me: dict[str, Any] = await self._call("GET", "/v1/me")
        self._principal = me["principal"]
        return me

    async def once(self) -> None:
        """Handle what is there; raises `Failed`."""
        try:
            while True:
                self._begin(await self._unheard())
                if self._handled.in_hand:
                    await asyncio.wait(self._handled.in_hand.values())
                self._raise_what_broke()
                if not self._more:
                    return
        finally:
            await _cancelled(*self._handled.in_hand.values())

    async def for_ever(self) -> None:
        """Handle what is there, and what comes, until cancelled.

        Raises `Failed` when the key does not open any more.
        """
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                self._look.clear()
                self._begin(await self._patiently_unheard())
                every = LOOK_EVERY_S if self._streaming else POLL_S
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._look.wait(), every)
                self._raise_what_broke()
        finally:
            await _cancelled(listening, *self._handled.in_hand.values())

    async def _unheard(self) -> list[dict[str, Any]]:
        """Return what is final, not acknowledged and not handled here, the oldest first."""
        room = MOST_IN_HAND - len(self._handled.in_hand)
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        self._more = False
        while True:
            params: dict[str, Any] = {
                "requester": self._principal,
                "acknowledged": "false",
                "limit": PAGE,
                **({"cursor": cursor} if cursor else {}),
            }
            page = await self._call("GET", "/v1/approvals", params=params)
            found += [one for one in page["data"] if not self._handled.has(one["id"])]
            # The oldest come last, and are the first to be handled.
            if len(found) > room:
                self._more = True
                del found[: len(found) - room]
            cursor = page["next_cursor"]
            if cursor is None:
                return sorted(found, key=lambda one: str(one["updated_at"]))

    async def _patiently_unheard(self) -> list[dict[str, Any]]:
        failed = 0
        while True:
            try:
                return await self._unheard()
            except Failed as error:
                if error.code != UNAVAILABLE:
                    raise
                if failed == 0:
                    self._say(f"[yellow]waiting[/yellow]  {plain(str(error))}")
                await asyncio.sleep(_pause(FIRST_PAUSE_S, failed))
                failed += 1

    def _begin(self, resolved: Sequence[Mapping[str, Any]]) -> None:
        for approval in resolved:
            task = asyncio.create_task(self._handle(approval), name=str(approval["id"]))
            self._handled.in_hand[task.get_name()] = task
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._handled.in_hand[task.get_name()]
        if not task.cancelled():
            self._broken = self._broken or task.exception()
        if self._more or self._broken:
            self._look.set()

    def _raise_what_broke(self) -> None:
        if self._broken is not None:
            raise self._broken

    async def _handle(self, approval: Mapping[str, Any]) -> None:
        """Run the program until it does what it should, then acknowledge; or give up."""
        approval_id = str(approval["id"])
        if approval_id not in self._handled.ran:
            if not await self._tried(approval, "run", lambda: self._run(approval)):
                self._handled.give_up(approval_id)
                self._say(
                    f"[red]gave up[/red]  {approval_id}: it is not acknowledged, and comes again "
                    "at the next start."
                )
                return
            self._handled.ran.add(approval_id)
        path = path_of(approval_id, "/acknowledge")
        if await self._tried(approval, "ack", lambda: self._call("POST", path, json={})):
            self._handled.acknowledge(approval_id)
            self._say(f"[green]done[/green]  {approval_id}  {approval['status']}")

    async def _tried(
        self, approval: Mapping[str, Any], what: str, work: Callable[[], Awaitable[Any]]
    ) -> bool:
        """Do something, again where it fails; tell whether it was done in the end."""
        for failed in range(self._runs.attempts):
            if failed:
                await asyncio.sleep(_pause(self._runs.first_pause_s, failed - 1))
            try:
                await work()
            except Failed as error:
                count = f"{failed + 1} of {self._runs.attempts}"
                about = f"{approval['id']}  {approval['status']}"
                self._say(f"[red]failed[/red]  {about}  {what} {count}: {plain(str(error))}")
            else:
                return True
        return False

    async def _run(self, approval: Mapping[str, Any]) -> None:
        # Held while it runs only: one that fails again and again stops no other.
        async with self._slots:
            code = await ended(self._runs, environment(approval, self._runs.prefixes))
        if code != 0:
            raise Failed(f"{self._runs.command[0]} ended with {code}", code)

    async def _listen(self) -> None:
        """Say when to look: at each final event, and whenever something may have been missed."""
        failed = 0
        while True:
            with suppress(httpx2.HTTPError, Failed):
                timeout = httpx2.Timeout(30, read=SILENT_S)
                async with self._http.stream("GET", "/v1/stream", timeout=timeout) as answer:
                    if not answer.is_success:
                        raise Failed("there is no stream", UNAVAILABLE)
                    failed, self._streaming = 0, True
                    # What came between the last look and now was not told.
                    self._look.set()
                    async for line in answer.aiter_lines():
                        if line == "event: missed" or any(f'"{kind}"' in line for kind in FINAL):
                            self._look.set()
            self._streaming = False
            await asyncio.sleep(_pause(FIRST_PAUSE_S, failed))
            failed += 1

    async def _call(self, method: str, path: str, **more: Any) -> Any:
        try:
            return content_of(await self._http.request(method, path, **more))
        except httpx2.HTTPError as error:
            raise Failed(f"Placet cannot be reached ({error})", UNAVAILABLE) from error


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def _remember(kept: dict[str, None], approval_id: str) -> None:
    kept[approval_id] = None
    if len(kept) > REMEMBERED:
        del kept[next(iter(kept))]


def _pause(first_s: float, failed: int) -> float:
    """Return how long to pause after a failure, in seconds: longer each time, never the same."""
    longest: float = min(LONGEST_PAUSE_S, first_s * 2 ** min(failed, 16))
    return longest * random.uniform(0.5, 1)  # noqa: S311 # spreads calls, hides nothing
