"""A process that serves may have as many connections as the system lets it."""

import resource
import sys
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from services.bootstrap.serving import serving
from services.embedded.ports import HOST, free_port

module = sys.modules[serving.__module__]  # its package has a function of the same name


@pytest.fixture
def files() -> Iterator[tuple[int, int]]:
    """The limits of this process, which are put back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_server_raises_the_soft_limit_of_open_files(
    files: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    soft, hard = files
    low = min(soft, 500) if soft > 0 else 500
    monkeypatch.setattr(module, "FILES", low)
    resource.setrlimit(resource.RLIMIT_NOFILE, (low - 100, hard))
    async with serving(FastAPI(), HOST, free_port()):
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (low, hard)


async def test_a_higher_limit_is_left_as_it_is(
    files: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILES", 10)
    async with serving(FastAPI(), HOST, free_port()):
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == files


async def test_a_system_that_refuses_is_served_all_the_same(
    files: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def refuse(_: int, limits: tuple[int, int]) -> None:
        asked.append(limits)
        raise ValueError("not more than kern.maxfilesperproc")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    async with serving(FastAPI(), HOST, free_port()):
        assert asked == [(module.FILES, resource.RLIM_INFINITY)]
    monkeypatch.undo()
