"""Stands in for the client library of the seed's agent: the same calls, sent to a Placet."""

import os
from typing import Any

import httpx2

WITHIN_S = 30


class DaimonClient:
    """Takes the key of its program and sends the one of this Placet."""

    def __init__(self, api_key: str) -> None:
        self.api_key = api_key
        self.account = Account()
        self.inboxes = Inboxes()


class Account:
    """What asks the operator."""

    def notify_operator(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = httpx2.post(
            os.environ["PLACET_URL"] + "/v1/notify-operator",
            headers={"Authorization": f"Bearer {os.environ['PLACET_KEY']}"},
            json={**body, "callback_url": os.environ["CALLBACK_URL"]},
            timeout=WITHIN_S,
        )
        answer.raise_for_status()
        asked: dict[str, Any] = answer.json()
        return asked


class Inboxes:
    """What sends mail: nothing leaves, and everything is remembered."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, inbox: str, mail: dict[str, Any]) -> None:
        self.sent.append((inbox, mail))
