"""Fixtures of the tests of our own servers."""

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from services.embedded.postgres import EmbeddedPostgres
from tests.embedded.parent import Parent


@pytest.fixture
def start_parent() -> Iterator[Callable[..., Parent]]:
    started: list[Parent] = []

    def start(folder: Path, loop: str = "asyncio") -> Parent:
        started.append(Parent.start(folder, loop))
        return started[-1]

    yield start
    for parent in started:
        if parent.process.poll() is None:
            parent.process.send_signal(signal.SIGINT)
        parent.process.wait(30)


@pytest.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(tmp_path / "postgres") as server:
        yield server


@pytest.fixture
def open_folder() -> Iterator[Path]:
    # Unlike `tmp_path`, every user may walk down to it.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
