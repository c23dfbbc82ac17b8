"""One database a module; tests have workspaces of their own in it."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from events.approval import ApprovalEvent
from events.envelope import Recorded
from events.store import Append
from events.store.database import Database
from events.store.log import PostgresLog
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from projections.queries import Queries
from tests.servers.postgres import TestingPostgres


@dataclass(frozen=True, slots=True)
class World:
    """The store and its read models, on one database."""

    dsn: str
    app_db: Database
    worker_db: Database

    @property
    def store(self) -> PostgresStore:
        return PostgresStore(self.app_db)

    @property
    def log(self) -> PostgresLog:
        return PostgresLog(self.worker_db)

    @property
    def read_models(self) -> ReadModels:
        return ReadModels(self.worker_db)

    @property
    def queries(self) -> Queries:
        return Queries(self.app_db, self.store)

    async def keep(
        self, workspace: str, approval_id: str, *facts: ApprovalEvent, after: int = 0
    ) -> list[Recorded]:
        """Append facts and return them as they were stored."""
        await self.store.append(
            workspace,
            [Append(approval_id=approval_id, expected_version=after, events=facts, command_id="k")],
        )
        read = await self.store.read(workspace, [approval_id], after)
        return list(read[approval_id])

    async def show(self, workspace: str, approval_id: str, *facts: ApprovalEvent) -> None:
        """Append facts of a new approval and bring the read models up to them."""
        await self.read_models.apply(await self.keep(workspace, approval_id, *facts))

    async def sequence(self) -> None:
        """Bring everything that was kept into the log."""
        while await self.log.sequence(1000):
            pass


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(postgres: TestingPostgres, migrated: str) -> AsyncIterator[World]:
    async with postgres.database(template=migrated) as dsn:
        app_db = await Database.open(dsn, "placet_app", size=4)
        worker_db = await Database.open(dsn, "placet_worker", size=6)
        yield World(dsn, app_db, worker_db)
        await app_db.close()
        await worker_db.close()


@pytest.fixture
def workspace() -> str:
    return f"w-{secrets.token_hex(6)}"
