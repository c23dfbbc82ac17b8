"""Lets one publisher of many lead: an advisory lock on a connection of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from events.store.database import UNREACHABLE, Connection, is_cancelled

LOCK = 0x5055_424C_4953_48
"""The advisory lock ("PUBLISH")."""
ASK_EVERY_S = 1.0
CHECK_EVERY_S = 2.0

logger = logging.getLogger(__name__)


async def lead(dsn: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` while this process leads, until cancelled; ends it when the lock is lost."""
    while True:
        try:
            connection = await asyncpg.connect(dsn, timeout=10)
        except UNREACHABLE as error:
            logger.warning("leadership waits: %s", error)
            await asyncio.sleep(ASK_EVERY_S)
            continue
        try:
            await _lead(connection, work)
        except UNREACHABLE as error:
            if is_cancelled():
                raise asyncio.CancelledError from error
            logger.warning("leadership was lost: %s", error)
        finally:
            connection.terminate()
        await asyncio.sleep(ASK_EVERY_S)


async def _lead(connection: Connection, work: Callable[[], Awaitable[None]]) -> None:
    take = "SELECT pg_try_advisory_lock($1::bigint)"
    while not await connection.fetchval(take, LOCK):  # noqa: ASYNC110 # Postgres holds the lock
        await asyncio.sleep(ASK_EVERY_S)
    logger.info("this process publishes")
    working = asyncio.ensure_future(work())
    try:
        while not working.done():
            await asyncio.wait([working], timeout=CHECK_EVERY_S)
            await connection.fetchval("SELECT 1", timeout=5)
        working.result()
    finally:
        working.cancel()
        await asyncio.wait([working])
