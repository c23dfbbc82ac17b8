"""Speaks to a running Placet over HTTP, for the commands about approvals."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from services.cli.console import FAILED, MISUSED, NOT_FOUND, REFUSED, UNAVAILABLE, fail
from services.up.run import home

TIMEOUT_S = 15.0


def call(
    method: str,
    path: str,
    *,
    json: Mapping[str, Any] | None = None,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_S,
) -> Any:
    """Return the answer's JSON, or end with what the problem document says."""
    url = os.environ.get("PLACET_URL", "http://127.0.0.1:8080").rstrip("/")
    try:
        answer = httpx2.request(
            method,
            f"{url}{path}",
            json=json,
            params={name: value for name, value in (params or {}).items() if value is not None},
            headers={"Authorization": f"Bearer {_key()}", **(headers or {})},
            timeout=timeout,
        )
    except httpx2.HTTPError as error:
        return fail(f"{url} cannot be reached ({error}). Is `placet up` running?", UNAVAILABLE)
    if answer.is_success:
        return answer.json()
    code = {404: NOT_FOUND, 403: REFUSED, 409: REFUSED}.get(answer.status_code, FAILED)
    return fail(_detail(answer), code)


def _detail(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:500]


def _key() -> str:
    given = os.environ.get("PLACET_KEY")
    if given:
        return given
    kept: Path = home(os.environ) / "key"
    try:
        return kept.read_text("ascii").strip()
    except OSError:
        fail(
            "Set PLACET_KEY to a key. `placet key create` makes one; `placet up` prints its own.",
            MISUSED,
        )
