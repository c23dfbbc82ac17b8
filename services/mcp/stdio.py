"""MCP on stdin and stdout, for one person or agent whose assistant starts this process."""

import logging

from mcp.server.stdio import stdio_server

from services.mcp.placet_api import Caller, PlacetApi
from services.mcp.server import Context, make_server

logger = logging.getLogger(__name__)


async def serve_stdio(url: str, public_url: str, key: str) -> None:
    """Serve until stdin ends.

    Raises `WrongKey`, `TryAgain` or `Refused` before anything is served, where the key opens
    nothing or Placet is not there.
    """
    api = PlacetApi(url, public_url)

    async def caller_of(_: Context) -> Caller:
        # Asked for each call: a key may end while the assistant runs.
        return await api.caller(key)

    try:
        await api.caller(key)
        server = make_server(caller_of)
        try:
            async with stdio_server() as (read, write):
                await server.run(read, write, server.create_initialization_options())
        except* BrokenPipeError:
            logger.info("the assistant is gone")
    finally:
        await api.aclose()
