"""Stands in for the client library of the seed's executions: the same calls, sent to a Placet."""

from collections.abc import Iterator
from typing import Any

import httpx2

AGENT = "your-agent-id"
WITHIN_S = 30


class Client:
    """Sends the calls with a key; `waiting` is what an example's placeholder of an id stands for.

    Each decision takes the next one of them.
    """

    def __init__(self, url: str, key: str, waiting: Iterator[str] | None = None) -> None:
        http = httpx2.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"Authorization": f"Bearer {key}"},
            timeout=WITHIN_S,
        )
        self.agents = Agents(http)
        self.approvals = Approvals(http, waiting or iter(()))
        self.close = http.close


class Agents:
    """What configures agents."""

    def __init__(self, http: httpx2.Client) -> None:
        self._http = http

    def create_version(self, agent_id: str, **body: Any) -> Any:
        return sent(self._http.post(f"/agents/{agent_id}/versions", json=body))


class Approvals:
    """What lists and decides."""

    def __init__(self, http: httpx2.Client, waiting: Iterator[str]) -> None:
        self._http = http
        self._waiting = waiting

    def list(self, **query: Any) -> Any:
        return sent(self._http.get("/approvals", params=query))

    def decide(self, approval_id: str, **body: Any) -> Any:
        assert approval_id == "approval-request-id"
        return sent(self._http.post(f"/approvals/{next(self._waiting)}/decide", json=body))


def sent(answer: httpx2.Response) -> Any:
    answer.raise_for_status()
    return answer.json()
