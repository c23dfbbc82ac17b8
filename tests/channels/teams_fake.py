"""What a Workflows URL of Teams takes: the envelope, an Adaptive Card 1.5, not over 28 kB."""

import json
import re
from collections.abc import Iterator
from typing import Any

MOST_BYTES = 28_000

_BLOCK = {"type": "RichTextBlock", "spacing": "Small"}
_RUN = {"type", "text", "weight", "size", "isSubtle"}


def faults_of(body: bytes) -> Iterator[str]:
    """What is wrong with what was posted."""
    if len(body) > MOST_BYTES:
        yield f"{len(body)} bytes"
    envelope = json.loads(body)
    if set(envelope) != {"type", "attachments"} or envelope["type"] != "message":
        yield "no envelope"
    (attachment,) = envelope["attachments"]
    if attachment["contentType"] != "application/vnd.microsoft.card.adaptive":
        yield "no adaptive card"
    yield from _faults_of_card(attachment["content"])


def _faults_of_card(card: dict[str, Any]) -> Iterator[str]:
    if (card["type"], card["version"]) != ("AdaptiveCard", "1.5"):
        yield "no card of this version"
    if card["$schema"] != "http://adaptivecards.io/schemas/adaptive-card.json":
        yield "no schema"
    if not card["body"]:
        yield "empty"
    for block in card["body"]:
        # In any other block texts would be read as Markdown.
        if {name: block[name] for name in _BLOCK} != _BLOCK or not block["inlines"]:
            yield f"a block that is no plain text: {block}"
        for run in block["inlines"]:
            if run["type"] != "TextRun" or not set(run) <= _RUN:
                yield f"an inline that is no plain text: {run}"
            if re.search(r"\{\{(DATE|TIME)\(", run["text"]):
                yield f"a function: {run['text']}"
    if not 1 <= len(card["actions"]) <= 6:
        yield "1 to 6 actions"
    for action in card["actions"]:
        # Anything but a link would need a bot.
        if set(action) != {"type", "title", "url"} or action["type"] != "Action.OpenUrl":
            yield f"no link: {action}"
        elif not re.fullmatch(r"https?://\S+", action["url"]):
            yield f"no url: {action}"


def text_of(body: bytes) -> str:
    """What somebody reads."""
    card = json.loads(body)["attachments"][0]["content"]
    return "\n".join("".join(run["text"] for run in one["inlines"]) for one in card["body"])
