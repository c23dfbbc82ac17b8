"""Runs the seeds' programs against a Placet: Python's in a thread, Node's in a process."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from tests.dialects.erasing import erased

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
STAND_INS = HERE / "stand_ins"
WITHIN_S = 60
SAID = "@@"

Json = dict[str, Any]


@dataclass
class Receiver:
    """An agent's own web server: it verifies what comes in, and hands it to the program."""

    secret: str
    handle: Callable[[Json], None] | None = None
    events: list[Json] = field(default_factory=list)
    url: str = ""

    def take(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Verify, hand over, remember; in this order, so that what is seen was handled."""
        event = Webhook(self.secret).verify(body, dict(headers))
        if self.handle is not None:
            self.handle(event)
        self.events.append(event)


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    """Listen for callbacks while the context lasts."""
    receiver = Receiver(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.take(body, {name.lower(): text for name, text in self.headers.items()})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            """Say nothing: the output is the program's."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhook/approval"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class NodeProgram:
    """A program that runs: what it says to the test, and everything that it prints."""

    process: asyncio.subprocess.Process
    printed: list[str] = field(default_factory=list)

    async def says(self, name: str) -> Any:
        """The next fact of this name."""
        async with asyncio.timeout(WITHIN_S):
            while line := await self._line():
                if line.startswith(SAID):
                    fact = json.loads(line.removeprefix(SAID))
                    if name in fact:
                        return fact[name]
        raise AssertionError(f"the program ended before it said {name!r}:\n{self.output}")

    @property
    def output(self) -> str:
        """What it printed so far, without what it says to the test."""
        return "\n".join(line for line in self.printed if not line.startswith(SAID))

    async def ended(self) -> str:
        """Everything that it printed, once it ended well."""
        async with asyncio.timeout(WITHIN_S):
            while await self._line():
                pass
            code = await self.process.wait()
        assert code == 0, self.output
        return self.output

    async def _line(self) -> str:
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        if line:
            self.printed.append(line.rstrip("\n"))
        return line


@asynccontextmanager
async def node_program(
    node: str, folder: Path, environ: Mapping[str, str], *parts: str
) -> AsyncIterator[NodeProgram]:
    """Run a program put together from a stand-in's imports, the seed's text and a test's drive."""
    library = folder / "node_modules" / "daimon-email"
    library.mkdir(parents=True)
    (library / "package.json").write_text('{"type": "module", "main": "index.js"}')
    (library / "index.js").write_text((STAND_INS / "daimon-email.mjs").read_text())
    for name in ("app.mjs", "checkpoints.mjs"):
        (folder / name).write_text((STAND_INS / name).read_text())
    (folder / "program.mjs").write_text("\n".join(parts))
    process = await asyncio.create_subprocess_exec(
        node,
        "program.mjs",
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield NodeProgram(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def typescript(name: str) -> str:
    """A program of the seed, without its types."""
    return erased((PROGRAMS / name).read_text("utf-8"))
