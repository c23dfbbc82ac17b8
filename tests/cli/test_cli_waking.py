"""`placet wake`: a program runs at each resolution, and no wake-up is lost."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx2
import pytest

from services.cli import wakeups
from services.cli.programs import Runs, environment
from services.cli.wakeups import Wakeups
from services.web.keys import Keys
from services.web.scopes import Scope
from tests.cli.command_line import Said, placet
from tests.cli.placet_up import PLACET, ROOT
from tests.cli.placet_up import environment as environment_of
from tests.journey.running_placet import Placet, eventually

ANN = "ann@example.com"
WRITE = """
import json, os, sys
with open(sys.argv[1], "a") as file:
    names = [name for name in os.environ if "APPROVAL" in name or "LINKED" in name]
    told = {name: os.environ[name] for name in names}
    file.write(json.dumps(told) + "\\n")
sys.exit(os.environ["PLACET_APPROVAL_TYPE"] in sys.argv[2:])
"""
"""Writes down what it was told, and fails at the types that it is given."""


@dataclass
class Agent:
    """Somebody whom no other test knows, what they ask, and the program that is run for it."""

    running: Placet
    key: str
    email: str
    file: Path
    failing: list[str] = field(default_factory=list)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-c", WRITE, str(self.file), *self.failing]

    def client(self, transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
        """A client with the agent's key."""
        return httpx2.AsyncClient(
            base_url=self.running.url,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30,
            transport=transport,
        )

    async def ask(self, **more: Any) -> str:
        """A new approval of theirs."""
        body = {"type": "deploy", "title": "Deploy", "approvers": [ANN], **more}
        async with self.client() as http:
            answer = await http.post("/v1/approvals", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def resolve(self, approval_id: str, decision: str = "approve", reason: str = "") -> None:
        """Let Ann decide."""
        answer = await self.running.answer(
            approval_id, decision=decision, approver=ANN, reason=reason or None
        )
        assert answer.status_code == 200, answer.text

    async def unheard(self) -> list[str]:
        """What is final and not acknowledged, as the list shows it."""
        page = await self.running.get(
            "/v1/approvals", requester=self.email, acknowledged="false", limit=100
        )
        return [one["id"] for one in page["data"]]

    async def resolved(self, *decisions: str, **more: Any) -> list[str]:
        """New approvals that are decided, once the list shows them."""
        made = [await self.ask(**more) for _ in decisions]
        for approval_id, decision in zip(made, decisions, strict=True):
            await self.resolve(approval_id, decision)
        await self.until_unheard(made)
        return made

    async def until_unheard(self, expected: list[str]) -> None:
        """Wait until exactly these are in the list, among those that it ever held."""

        async def look() -> bool:
            return set(await self.unheard()) == set(expected)

        await eventually(look, f"{expected} are to be heard")

    async def wake(self, *arguments: str) -> Said:
        """Run `placet wake` with the program."""
        return await placet(
            *("wake", *arguments, "--", *self.command),
            PLACET_URL=self.running.url,
            PLACET_KEY=self.key,
        )

    def told(self) -> list[dict[str, str]]:
        """What the program was told, run after run."""
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def woken_for(self) -> list[str]:
        return [one["PLACET_APPROVAL_ID"] for one in self.told()]

    async def until_woken(self, count: int) -> None:
        async def look() -> bool:
            return len(self.told()) >= count

        await eventually(look, f"the program ran {count} times")


@pytest.fixture
async def agent(running: Placet, tmp_path: Path) -> Agent:
    return await make_agent(running, tmp_path, ("approvals:read", "approvals:request"))


async def make_agent(running: Placet, folder: Path, scopes: tuple[Scope, ...]) -> Agent:
    email = f"agent.{secrets.token_hex(4)}@example.com"
    key = await Keys(running.parts.app_db, None).create(
        "default", principal=email, name="", scopes=scopes, expires_at=None
    )
    return Agent(running, key.text, email, folder / f"{email}.jsonl")


@asynccontextmanager
async def waking(
    agent: Agent,
    transport: httpx2.AsyncBaseTransport | None = None,
    runs: Runs | None = None,
) -> AsyncIterator[list[str]]:
    """Wake for as long as this lasts; yields what the operator is told."""
    said: list[str] = []
    async with agent.client(transport) as http:
        chosen = runs or Runs(command=agent.command)
        running = Wakeups(http, replace(chosen, first_pause_s=0.05), say=said.append)
        await running.whose()
        task = asyncio.create_task(running.for_ever())
        try:
            yield said
        finally:
            task.cancel()
            await asyncio.wait([task])
        assert task.cancelled()


async def test_what_happened_while_nobody_listened_is_told_once(agent: Agent) -> None:
    links = [
        {"kind": "issue", "id": "ACME-1"},
        {"kind": "page", "id": "P"},
        {"kind": "issue", "id": "ACME-2"},
    ]
    approval_id = await agent.ask(links=links)
    await agent.ask()  # still open
    await agent.resolve(approval_id, "deny", "Not on Friday")
    await agent.until_unheard([approval_id])
    said = await agent.wake("--once")
    assert said.code == 0, said.err
    assert approval_id in said.err
    [told] = agent.told()
    assert told == {
        "PLACET_APPROVAL_ID": approval_id,
        "PLACET_APPROVAL_STATUS": "rejected",
        "PLACET_APPROVAL_CAUSE": "",
        "PLACET_APPROVAL_TYPE": "deploy",
        "PLACET_APPROVAL_OUTCOME_REASON": "Not on Friday",
        "PLACET_LINKED_ISSUE_IDS": "ACME-1,ACME-2",
    }
    heard = await agent.running.get(f"/v1/approvals/{approval_id}")
    assert heard["acknowledged_by"] == agent.email
    assert (await agent.wake("--once")).code == 0
    assert len(agent.told()) == 1


async def test_variables_stand_under_another_prefix_as_well(agent: Agent) -> None:
    [approval_id] = await agent.resolved("approve")
    await agent.wake("--once", "--prefix", "AIMETIER_")
    [told] = agent.told()
    for prefix in ("PLACET_", "AIMETIER_"):
        assert told[f"{prefix}APPROVAL_ID"] == approval_id
        assert told[f"{prefix}APPROVAL_STATUS"] == "approved"
        assert told[f"{prefix}LINKED_ISSUE_IDS"] == ""


async def test_each_end_has_its_status_and_superseded_is_withdrawn(agent: Agent) -> None:
    subject = f"plan:{agent.email}"
    older = await agent.ask(subject=subject, revision="1")
    newer = await agent.ask(subject=subject, revision="2")
    async with agent.client() as http:
        await http.post(f"/v1/approvals/{newer}/withdraw", json={"reason": "No need"})
    short = await agent.ask(expires_in=1)
    await agent.until_unheard([older, newer, short])
    assert (await agent.wake("--once")).code == 0
    ends = {
        one["PLACET_APPROVAL_ID"]: (one["PLACET_APPROVAL_STATUS"], one["PLACET_APPROVAL_CAUSE"])
        for one in agent.told()
    }
    assert ends == {
        older: ("withdrawn", "superseded"),
        newer: ("withdrawn", "recalled"),
        short: ("expired", ""),
    }


async def test_only_my_own_requests_wake_me(agent: Agent, tmp_path: Path) -> None:
    other = await make_agent(agent.running, tmp_path, ("approvals:read", "approvals:request"))
    theirs = await other.resolved("approve")
    mine = await agent.resolved("approve")
    assert (await agent.wake("--once")).code == 0
    assert agent.woken_for() == mine
    assert await other.unheard() == theirs


async def test_more_than_a_page_and_more_than_fit_in_hand_are_told(agent: Agent) -> None:
    made = await agent.resolved(*["approve"] * 5)
    with patch.object(wakeups, "PAGE", 2), patch.object(wakeups, "MOST_IN_HAND", 3):
        assert (await agent.wake("--once")).code == 0
    assert sorted(agent.woken_for()) == sorted(made)


async def test_a_program_that_fails_is_run_again_then_given_up_and_stops_no_other(
    agent: Agent,
) -> None:
    [bad] = await agent.resolved("approve", type="bad")
    good = await agent.ask(type="good")
    await agent.resolve(good)
    await agent.until_unheard([bad, good])
    agent.failing = ["bad"]
    said = await agent.wake("--once", "--attempts", "2")
    assert said.code == 1
    assert agent.woken_for().count(bad) == 2
    assert agent.woken_for().count(good) == 1
    assert agent.woken_for()[-1] == bad
    assert f"gave up  {bad}" in said.err
    await agent.until_unheard([bad])
    agent.failing = []
    assert (await agent.wake("--once")).code == 0
    assert agent.woken_for().count(bad) == 3


async def test_a_program_that_was_given_up_is_left_alone_until_the_next_start(
    agent: Agent,
) -> None:
    await agent.resolved("approve", type="bad")
    agent.failing = ["bad"]
    runs = Runs(command=agent.command, attempts=1)
    with patch.object(wakeups, "LOOK_EVERY_S", 0.05), patch.object(wakeups, "POLL_S", 0.05):
        async with waking(agent, runs=runs):
            await agent.until_woken(1)
            later = await agent.ask(type="good")
            await agent.resolve(later)
            await agent.until_woken(2)
            await asyncio.sleep(0.5)
    assert agent.woken_for()[1:] == [later]


async def test_a_resolution_wakes_by_the_stream(agent: Agent) -> None:
    with patch.object(wakeups, "LOOK_EVERY_S", 3600), patch.object(wakeups, "POLL_S", 3600):
        async with waking(agent):
            for count in (1, 2):
                approval_id = await agent.ask()
                await agent.resolve(approval_id)
                await agent.until_woken(count)
                assert agent.woken_for()[-1] == approval_id
            await agent.until_unheard([])


class Away(httpx2.AsyncBaseTransport):
    """A way to Placet on which some calls find nobody, and all are counted."""

    def __init__(self, is_away: Callable[[httpx2.Request, int], bool]) -> None:
        self._is_away = is_away
        self._inner = httpx2.AsyncHTTPTransport()
        self.calls: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.rsplit("/", 1)[-1]
        self.calls.append(path)
        if self._is_away(request, self.calls.count(path)):
            raise httpx2.ConnectError("nobody there", request=request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_without_a_stream_it_is_looked_for_now_and_then(agent: Agent) -> None:
    away = Away(lambda request, _: request.url.path == "/v1/stream")
    with patch.object(wakeups, "LOOK_EVERY_S", 3600), patch.object(wakeups, "POLL_S", 0.1):
        async with waking(agent, away):
            approval_id = await agent.ask()
            await agent.resolve(approval_id)
            await agent.until_woken(1)
    assert agent.woken_for() == [approval_id]


async def test_an_outage_is_waited_for_and_told_once(agent: Agent) -> None:
    [approval_id] = await agent.resolved("approve")
    away = Away(lambda request, count: request.url.path == "/v1/approvals" and count <= 2)
    async with waking(agent, away) as said:
        await agent.until_woken(1)
    assert agent.woken_for() == [approval_id]
    assert len([line for line in said if "waiting" in line]) == 1


async def test_what_cannot_be_acknowledged_yet_is_not_run_again(agent: Agent) -> None:
    [approval_id] = await agent.resolved("approve")
    away = Away(lambda request, count: request.url.path.endswith("/acknowledge") and count <= 3)
    with patch.object(wakeups, "LOOK_EVERY_S", 0.1), patch.object(wakeups, "POLL_S", 0.1):
        async with waking(agent, away, Runs(command=agent.command, attempts=2)):
            await agent.until_unheard([])
    assert agent.woken_for() == [approval_id]
    assert away.calls.count("acknowledge") == 4


async def test_a_key_that_does_not_open_any_more_ends_it(agent: Agent) -> None:
    async with agent.client() as http:
        running = Wakeups(http, Runs(command=agent.command), say=lambda _: None)
        await running.whose()
        http.headers["Authorization"] = "Bearer plk_revoked"
        with pytest.raises(wakeups.Failed, match="revoked"):
            async with asyncio.timeout(30):
                await running.for_ever()


BESIDE = """
import os, sys, time
folder, wanted = sys.argv[1], int(sys.argv[2])
mine = os.path.join(folder, os.environ["PLACET_APPROVAL_ID"])
open(mine, "w").close()
for _ in range(1200 if wanted == 2 else 20):
    if len(os.listdir(folder)) == 2:
        open(sys.argv[3], "w").close()
        time.sleep(1)
        break
    time.sleep(0.05)
os.remove(mine)
sys.exit(wanted == 1)
"""
"""Says so where another one runs at the same time; waits for it where one is wanted."""


async def test_several_run_at_a_time_only_where_that_is_wanted(
    agent: Agent, tmp_path: Path
) -> None:
    made = await agent.resolved("approve", "approve")
    folder, met = tmp_path / "folder", tmp_path / "met"
    folder.mkdir()
    settings = {"PLACET_URL": agent.running.url, "PLACET_KEY": agent.key}
    program = ("--", sys.executable, "-c", BESIDE, str(folder))
    one = await placet("wake", "--once", "--attempts", "1", *program, "1", str(met), **settings)
    assert (one.code, one.err.count("gave up")) == (1, 2)
    assert not met.exists()
    await agent.until_unheard(made)
    two = await placet("wake", "--once", "--concurrency", "2", *program, "2", str(met), **settings)
    assert two.code == 0, two.err
    assert met.exists()


async def test_a_program_that_takes_too_long_is_stopped_with_all_that_it_started(
    agent: Agent, tmp_path: Path
) -> None:
    [approval_id] = await agent.resolved("approve")
    mark = tmp_path / "child"
    shell = f"sleep 300 & echo $! > {mark}; wait"
    said = await placet(
        *("wake", "--once", "--attempts", "1", "--time-limit", "1", "--", "sh", "-c", shell),
        PLACET_URL=agent.running.url,
        PLACET_KEY=agent.key,
    )
    assert said.code == 1
    assert "stopped after 1 s" in said.err
    assert await agent.unheard() == [approval_id]
    await gone(int(mark.read_text()))


def has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # and waits for whoever reaps orphans here


async def gone(pid: int) -> None:
    """Wait until a process has ended."""

    async def look() -> bool:
        return has_ended(pid)

    await eventually(look, f"process {pid} ended")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
async def test_whoever_is_stopped_stops_the_program_and_wakes_again_later(
    agent: Agent, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    [approval_id] = await agent.resolved("approve")
    mark = tmp_path / "running"
    process = await asyncio.create_subprocess_exec(
        *(
            *PLACET,
            "wake",
            "--",
            "sh",
            "-c",
            f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 300",
        ),
        cwd=ROOT,
        env=environment_of(PLACET_URL=agent.running.url, PLACET_KEY=agent.key),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:

        async def look() -> bool:
            return mark.exists() or process.returncode is not None

        await eventually(look, "the program runs")
        os.kill(process.pid, number)
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == code, said.decode()
    assert b"Traceback" not in said, said.decode()
    await gone(int(mark.read_text()))
    assert await agent.unheard() == [approval_id]
    assert (await agent.wake("--once")).code == 0
    assert agent.woken_for() == [approval_id]


async def test_what_cannot_work_is_said_before_anything_runs(agent: Agent, tmp_path: Path) -> None:
    settings = {"PLACET_URL": agent.running.url, "PLACET_KEY": agent.key}
    missing = await placet("wake", "--once", "--", "no-such-program-here", **settings)
    assert (missing.code, "no such program" in missing.err) == (2, True)
    prefix = await placet("wake", "--once", "--prefix", "1=", "--", "true", **settings)
    assert (prefix.code, "--prefix" in prefix.err) == (2, True)
    reader = await make_agent(agent.running, tmp_path, ("approvals:read",))
    refused = await reader.wake("--once")
    assert (refused.code, "approvals:request" in refused.err) == (5, True)


def test_what_others_wrote_fits_into_variables() -> None:
    approval = {
        "id": "a1",
        "status": "approved",
        "type": "deploy",
        "decision_reason": "a\0b",
        "withdrawn_reason": None,
        "links": [],
    }
    assert environment(approval, ["X_"])["X_APPROVAL_OUTCOME_REASON"] == "ab"
