"""What both clients put around every call: address, key, and who speaks."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TypedDict

from placet.flows import Send
from placet.settings import Settings


class HttpOptions(TypedDict):
    """How an HTTP client is made."""

    base_url: str
    headers: dict[str, str]
    follow_redirects: bool
    verify: bool


class RequestOptions(TypedDict):
    """How a request is made."""

    method: str
    url: str
    params: Mapping[str, str]
    content: bytes | None
    headers: dict[str, str]
    timeout: float


def http_options(settings: Settings) -> HttpOptions:
    """Return how to make the HTTP client."""
    return HttpOptions(
        base_url=settings.url,
        headers={
            "Authorization": f"Bearer {settings.key}",
            "Accept": "application/json",
            "User-Agent": f"placet-client/{_version()}",
        },
        # A key goes where it was sent to and nowhere else.
        follow_redirects=False,
        # Reading the system's certificates takes a while, and plain HTTP needs none.
        verify=settings.url.startswith("https:"),
    )


def request_of(send: Send) -> RequestOptions:
    """Return how to make one request."""
    call = send.call
    headers: dict[str, str] = {}
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    if call.idempotency_key is not None:
        headers["Idempotency-Key"] = call.idempotency_key
    return RequestOptions(
        method=call.method,
        url=call.path,
        params=call.query,
        content=call.body,
        headers=headers,
        timeout=send.timeout_s,
    )


def _version() -> str:
    try:
        return version("placet-client")
    except PackageNotFoundError:  # run from a folder
        return "0"
