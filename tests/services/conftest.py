"""The event store, in memory and on Postgres."""

import pytest

from events.store import EventStore
from events.store.database import Database
from events.store.memory import MemoryStore
from events.store.postgres import PostgresStore


@pytest.fixture(params=["memory", "postgres"])
def store(request: pytest.FixtureRequest) -> EventStore:
    if request.param == "memory":
        return MemoryStore()
    app_db: Database = request.getfixturevalue("app_db")
    return PostgresStore(app_db)
