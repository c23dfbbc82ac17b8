"""One Acme Expenses for all tests that need no start of their own."""

from collections.abc import Iterator

import pytest
from acme_process import Acme


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    with Acme(tmp_path_factory.mktemp("acme") / "acme.sqlite3") as acme:
        yield acme
    # No test may make the server log an error, whatever it sends.
    assert acme.errors() == ""


@pytest.fixture
def acme(running: Acme) -> Iterator[Acme]:
    yield running
    running.http.delete("/faults")
