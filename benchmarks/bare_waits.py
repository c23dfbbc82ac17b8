"""A program: what waiting costs with nothing behind it, one Starlette handler that awaits an event.

`bare_waits PORT`: GET /v1/approvals/{id}/wait and POST /v1/approvals/{id}/decision, in memory.
"""

import asyncio
import sys
from collections import defaultdict
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HOST = "127.0.0.1"
JSON = "application/json"
WAIT_S = 60


def main() -> None:
    """Serve on the port that the command line names."""
    decided: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def wait(request: Request) -> Response:
        approval_id = request.path_params["id"]
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await decided[approval_id].wait()
        return Response(
            f'{{"id":"{approval_id}","status":"approved","more":"{"." * 1000}"}}', media_type=JSON
        )

    async def decide(request: Request) -> Response:
        await request.body()
        decided[request.path_params["id"]].set()
        return Response("{}", media_type=JSON)

    async def healthz(_: Request) -> Response:
        await asyncio.sleep(0)
        return Response("up")

    routes = [
        Route("/v1/approvals/{id}/wait", wait),
        Route("/v1/approvals/{id}/decision", decide, methods=["POST"]),
        Route("/healthz", healthz),
    ]
    uvicorn.run(
        Starlette(routes=routes),
        host=HOST,
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
