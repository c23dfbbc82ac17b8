"""A Placet with the shipped types, and the people and agents of the seeds' examples."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from services.config import read_config
from services.web.scopes import Scope
from tests.api.api_kit import Office, Placet, placet_on
from tests.servers.postgres import TestingPostgres

TYPES = Path(__file__).parents[2] / "deploy" / "types"
PLACET_YAML = """
approvers: [operator]
types: [{types}]
people:
  - {{email: bea@example.com, name: Bea, roles: [board]}}
  - {{email: otto@example.com, name: Otto, roles: [operator]}}
  - {{email: ceo@example.com, name: The CEO, roles: [ceo]}}
  - {{email: manager@example.com, name: A manager, roles: [manager]}}
"""
ASKS: tuple[Scope, ...] = ("approvals:read", "approvals:request")


def placet_yaml(folder: Path) -> Path:
    """The shipped types, and people with the roles that they name."""
    path = folder / "placet.yaml"
    types = ", ".join(str(one) for one in sorted(TYPES.glob("*.yaml")))
    path.write_text(PLACET_YAML.format(types=types))
    return path


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def typed(
    postgres: TestingPostgres, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Placet]:
    config = read_config(placet_yaml(tmp_path_factory.mktemp("config")), {})
    async with postgres.database(template=migrated) as dsn, placet_on(dsn, config) as placet:
        yield placet


@pytest_asyncio.fixture(loop_scope="session")
async def here(typed: Placet) -> AsyncIterator[Office]:
    async with AsyncExitStack() as clients:
        yield Office(placet=typed, workspace="default", clients=clients)


async def agent_in(office: Office, email: str) -> httpx2.AsyncClient:
    """A client with the key of a program, which never decides."""
    key = await office.placet.key(office.workspace, email, ASKS, agent=True)
    return await office.stranger(key)


@pytest_asyncio.fixture(loop_scope="session")
async def ceo(here: Office) -> httpx2.AsyncClient:
    return await agent_in(here, "ceo@example.com")


@pytest_asyncio.fixture(loop_scope="session")
async def agent(here: Office) -> httpx2.AsyncClient:
    """An agent without a role."""
    return await agent_in(here, "agent@example.com")


@pytest_asyncio.fixture(loop_scope="session")
async def bea(here: Office) -> httpx2.AsyncClient:
    """Of the board."""
    return await here.person("bea@example.com")


@pytest_asyncio.fixture(loop_scope="session")
async def otto(here: Office) -> httpx2.AsyncClient:
    """The operator."""
    return await here.person("otto@example.com")
