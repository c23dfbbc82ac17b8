"""`placet mcp`, started as an assistant starts it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, stdio_client
from mcp.shared.exceptions import MCPError

from tests.mcp.mcp_kit import ANN, BOT, DECIDES, Desk, bot, person, refund
from tests.mcp.stand_in import PUBLIC, done, refused, tools

HELLO = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}\n'
)


async def test_over_stdio_an_agent_asks_and_a_person_answers(desk: Desk) -> None:
    agent_key = await desk.key(BOT, agent=True)
    async with Client(desk.over_stdio(agent_key)) as agent, person(desk) as ann:
        assert "decide" not in await tools(agent)
        _, asked = await done(agent, "request_approval", **refund())
        assert asked["url"] == f"{PUBLIC}/approvals/{asked['id']}"
        await done(
            ann, "decide", approval_id=asked["id"], decision="approve", revision=asked["revision"]
        )
        _, final = await done(agent, "wait_for_decision", approval_id=asked["id"])
        assert final["status"] == "approved"
        assert "approval_id" in await refused(agent, "get_approval", approval_id="no id")


async def test_over_stdio_a_person_sees_what_waits_and_decides(desk: Desk) -> None:
    key = await desk.key(ANN, DECIDES)
    async with bot(desk) as agent, Client(desk.over_stdio(key), mode="legacy") as ann:
        _, asked = await done(agent, "request_approval", **refund())
        await desk.placet.shown()
        _, pending = await done(ann, "list_pending", limit=50)
        assert asked["id"] in [one["id"] for one in pending["approvals"]]
        _, answer = await done(
            ann, "decide", approval_id=asked["id"], decision="deny", revision=asked["revision"]
        )
    assert answer["approval"]["status"] == "rejected"


@pytest.mark.parametrize(
    ("key", "url", "says"),
    [
        ("plk_wrong", None, "new key"),
        ("plk_wrong", "http://127.0.0.1:9", "cannot be reached"),
        ("plk_wrong", "ftp://example.com", "PLACET_URL"),
    ],
)
async def test_over_stdio_what_cannot_work_ends_at_once_and_says_why(
    desk: Desk, tmp_path: Any, key: str, url: str | None, says: str
) -> None:
    told = tmp_path / "stderr"
    with told.open("w") as errlog, pytest.raises((MCPError, ExceptionGroup)):
        async with Client(stdio_client(desk.over_stdio(key, url), errlog)) as client:
            await client.list_tools()
    text = told.read_text()
    assert says in text
    assert "Traceback" not in text


@asynccontextmanager
async def greeted(desk: Desk) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has answered the first request."""
    start = desk.over_stdio(await desk.key(BOT, agent=True))
    process = await asyncio.create_subprocess_exec(
        start.command,
        *start.args,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | (start.env or {}),
        cwd=start.cwd,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"this is no JSON\n" + HELLO)
        async with asyncio.timeout(30):
            assert b'"serverInfo"' in await process.stdout.readline()
            yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_over_stdio_it_ends_at_once_when_it_is_interrupted(desk: Desk) -> None:
    async with greeted(desk) as process:
        process.send_signal(signal.SIGINT)
        assert await process.wait() == -signal.SIGINT


async def test_over_stdio_it_ends_with_its_input_and_says_nothing(desk: Desk) -> None:
    async with greeted(desk) as process:
        assert await process.communicate(b"") == (b"", b"")
        assert process.returncode == 0
