"""What is sent to a source and what comes back, before anybody knows what it means."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from events.approval import Json
from services.sources.credentials import Secret, redact

MAX_WORDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the source file asks for it; `link` stands for path and query if it is set.

    `token` is somebody's own, which is shown in place of all that the service account would show.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json = None
    link: str | None = None
    token: Secret | None = None

    @property
    def writes(self) -> bool:
        """Tell whether the request may change something."""
        return self.method != "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An answer of the source; header names are in lower case, `began` is before it was asked.

    `token` is the person's own that the source was shown.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    began: datetime
    asked: str
    token: Secret | None = None

    @property
    def accepted(self) -> bool:
        """Tell whether the source did what it was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 - the codes of success

    def json(self) -> Json:
        """Return the body; raises `ValueError` if it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("content-type", "nothing that says its type")
            raise ValueError(f"answered {self.asked} with {kind[:60]} that is not JSON") from error


def own_words(received: Received, secrets: Iterable[str] = ()) -> str:
    """Return the sentence in a problem document or the like without secrets; HTML has none."""
    try:
        body = received.json()
    except ValueError:
        kind = received.headers.get("content-type", "")
        body = received.body.decode("utf-8", "replace") if "plain" in kind else None
    for name in ("detail", "message", "error_description", "error", "title", "errors"):
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict):
        body = next((body[name] for name in ("message", "detail") if body.get(name)), None)
    if not isinstance(body, str | int):
        return ""
    # Cut last: of a secret that is cut off, what is left would not be known for one.
    return " ".join(redact(str(body), secrets).split())[:MAX_WORDS]
