"""The command that an assistant starts: MCP on stdin and stdout."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import os
from urllib.parse import urlsplit

from services.cli.client import address, authorization
from services.cli.console import FAILED, MISUSED, REFUSED, UNAVAILABLE, fail


def mcp() -> None:
    """Serve MCP on stdin and stdout; an assistant starts this, and people do not.

    It speaks to PLACET_URL with the key in PLACET_KEY, and may do what that key may do. Links
    lead to PLACET_PUBLIC_URL, or to PLACET_URL.
    """
    import asyncio
    import signal

    from services.mcp.placet_api import Refused, TryAgain, WrongKey
    from services.mcp.stdio import serve_stdio

    url = address()
    if not _is_address(url):
        fail("PLACET_URL must be an http or https URL", MISUSED)
    public_url = os.environ.get("PLACET_PUBLIC_URL") or url
    # Nothing here needs an end of its own, and a reader of stdin would outlive a polite one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        key = authorization()["Authorization"].removeprefix("Bearer ")
        asyncio.run(serve_stdio(url, public_url, key))
    except WrongKey as error:
        fail(f"PLACET_KEY: {error}", REFUSED)
    except TryAgain as error:
        fail(f"{url}: {error} Is `placet up` running?", UNAVAILABLE)
    except Refused as error:
        fail(f"{url}: {error}", FAILED)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
