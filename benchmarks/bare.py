"""Programs: what HTTP and Postgres cost with nothing between them, one Starlette handler each."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

import asyncpg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.tables import INSERT
from events.store.named_sql import statements

HOST = "127.0.0.1"
POOL = 10
"""As many connections as Placet's own pool."""
JSON = "application/json"


def main() -> None:
    """Serve what the command line names: `bare NAME PORT DSN [WORKSPACE]`."""
    name, port, dsn, *more = sys.argv[1:]
    handlers: dict[str, Callable[..., Starlette]] = {
        "insert": _insert,
        "list": _list,
        "queue": _queue,
    }
    uvicorn.run(
        handlers[name](dsn, *more),
        host=HOST,
        port=int(port),
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def _insert(dsn: str) -> Starlette:
    async def ask(request: Request) -> Response:
        approval_id = token_hex(13)
        data = (await request.body()).decode()
        async with request.app.state.pool.acquire() as connection:
            await connection.execute(INSERT, approval_id, 1, "approval.requested", data, "bench")
        return Response(f'{{"id":"{approval_id}"}}', status_code=201, media_type=JSON)

    return _app(dsn, Route("/v1/approvals", ask, methods=["POST"]), {})


def _list(dsn: str, workspace: str) -> Starlette:
    query = statements("projections")["list"].format(conditions="l.workspace = $1")

    async def listing(request: Request) -> Response:
        async with request.app.state.pool.acquire() as connection:
            row = await connection.fetchrow(query, workspace, 50)
        return Response(f'{{"data":[{row["docs"]}]}}', media_type=JSON)

    return _app(dsn, Route("/v1/approvals", listing), _role(workspace))


def _queue(dsn: str, workspace: str) -> Starlette:
    query = statements("projections")["queue"]

    async def queue(request: Request) -> Response:
        approver = request.query_params["approver"]
        async with request.app.state.pool.acquire() as connection:
            row = await connection.fetchrow(query, workspace, approver, -1, "", 50)
        return Response(f'{{"data":[{row["docs"]}]}}', media_type=JSON)

    return _app(dsn, Route("/v1/queue", queue), _role(workspace))


def _role(workspace: str) -> dict[str, str]:
    # The same role and policies, so that Postgres does the same work for both sides.
    return {"role": "placet_app", "search_path": "placet", "placet.workspace": workspace}


def _app(dsn: str, route: Route, settings: dict[str, str]) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            dsn, min_size=POOL, max_size=POOL, reset=_keep, server_settings=settings
        ) as pool:
            app.state.pool = pool
            yield

    async def healthz(_: Request) -> Response:
        await asyncio.sleep(0)
        return Response("up")

    return Starlette(routes=[route, Route("/healthz", healthz)], lifespan=lifespan)


async def _keep(_: Any) -> None:
    """Spare the reset query, which costs a round trip: the limit shall be the best there is."""


if __name__ == "__main__":
    main()
