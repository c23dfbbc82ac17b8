"""What Slack takes, as its documentation says it, in its own numbers and not in ours."""

from collections.abc import Iterator
from typing import Any

Json = Any


def faults_of_message(body: dict[str, Json]) -> list[str]:
    """What Slack would refuse, or cut, of a message that is posted or edited."""
    return list(_message(body))


def faults_of_view(view: dict[str, Json]) -> list[str]:
    """What Slack would refuse of a modal."""
    return list(_view(view))


def _message(body: dict[str, Json]) -> Iterator[str]:
    if not body.get("text"):
        yield "no text for notifications and screen readers"
    yield from _longest(body.get("text", ""), 4000, "text")
    for block in (blocks := body.get("blocks", [])):
        yield from _block(block, {"header", "section", "divider", "context", "actions"})
    if len(blocks) > 50:
        yield f"{len(blocks)} blocks"
    yield from _unique([one["block_id"] for one in blocks if "block_id" in one], "block_id")
    actions = [one["action_id"] for block in blocks for one in block.get("elements", [])]
    yield from _unique(actions, "action_id")
    if (metadata := body.get("metadata")) is not None:
        kind = metadata.get("event_type", "")
        if not (kind and kind.replace("_", "").isalnum() and kind.isascii()):
            yield f"metadata.event_type {kind!r}"
        if not isinstance(metadata.get("event_payload"), dict):
            yield "metadata.event_payload"
        yield from _keys(metadata, {"event_type", "event_payload"}, "metadata")


def _view(view: dict[str, Json]) -> Iterator[str]:
    known = {"type", "callback_id", "private_metadata", "title", "submit", "close", "blocks"}
    yield from _keys(view, known, "view")
    if view["type"] != "modal":
        yield f"view of type {view['type']}"
    for name in ("title", "submit", "close"):
        yield from _text(view[name], 24, name, plain=True)
    yield from _longest(view["private_metadata"], 3000, "private_metadata")
    yield from _longest(view["callback_id"], 255, "callback_id")
    if not 1 <= len(view["blocks"]) <= 100:
        yield f"{len(view['blocks'])} blocks"
    for block in view["blocks"]:
        yield from _block(block, {"header", "section", "divider", "context", "input"})


def _block(block: dict[str, Json], kinds: set[str]) -> Iterator[str]:
    if block["type"] not in kinds:
        yield f"a block of type {block['type']}"
    yield from _longest(block.get("block_id", ""), 255, "block_id")
    match block["type"]:
        case "header":
            yield from _keys(block, {"type", "text", "block_id"}, "header")
            yield from _text(block["text"], 150, "header", plain=True)
        case "section":
            yield from _keys(block, {"type", "text", "fields", "block_id", "accessory"}, "section")
            if "text" not in block and "fields" not in block:
                yield "a section with nothing in it"
            if "text" in block:
                yield from _text(block["text"], 3000, "section")
            if "fields" in block and not 1 <= len(block["fields"]) <= 10:
                yield f"{len(block['fields'])} fields"
            if "accessory" in block:
                yield from _button(block["accessory"])
            for field in block.get("fields", []):
                yield from _text(field, 2000, "field")
        case "context":
            if not 1 <= len(block["elements"]) <= 10:
                yield f"{len(block['elements'])} elements of a context"
            for element in block["elements"]:
                yield from _text(element, 3000, "context")
        case "actions":
            yield from _keys(block, {"type", "elements", "block_id"}, "actions")
            if not 1 <= len(block["elements"]) <= 25:
                yield f"{len(block['elements'])} elements of actions"
            for element in block["elements"]:
                yield from _button(element)
        case "input":
            yield from _keys(block, {"type", "label", "element", "block_id", "optional"}, "input")
            yield from _text(block["label"], 2000, "label", plain=True)
            yield from _input(block["element"])


def _button(button: dict[str, Json]) -> Iterator[str]:
    known = {"type", "text", "action_id", "url", "value", "style", "confirm"}
    yield from _keys(button, known, "button")
    if button["type"] != "button":
        yield f"an element of type {button['type']}"
    yield from _text(button["text"], 75, "button", plain=True)
    yield from _longest(button["action_id"], 255, "action_id")
    yield from _longest(button.get("url", ""), 3000, "url")
    yield from _longest(button.get("value", ""), 2000, "value")
    if button.get("style", "primary") not in ("primary", "danger"):
        yield f"style {button['style']}"
    if (confirm := button.get("confirm")) is not None:
        yield from _keys(confirm, {"title", "text", "confirm", "deny", "style"}, "confirm")
        yield from _text(confirm["title"], 100, "confirm.title", plain=True)
        yield from _text(confirm["text"], 300, "confirm.text")
        yield from _text(confirm["confirm"], 30, "confirm.confirm", plain=True)
        yield from _text(confirm["deny"], 30, "confirm.deny", plain=True)


def _input(element: dict[str, Json]) -> Iterator[str]:
    known = {
        "type",
        "action_id",
        "multiline",
        "min_length",
        "max_length",
        "focus_on_load",
        "initial_value",
    }
    yield from _keys(element, known, "plain_text_input")
    if element["type"] != "plain_text_input":
        yield f"an element of type {element['type']}"
    if not 0 <= element.get("min_length", 0) <= element.get("max_length", 3000) <= 3000:
        yield "lengths of an input"


def _text(text: dict[str, Json], most: int, what: str, *, plain: bool = False) -> Iterator[str]:
    if text["type"] == "plain_text":
        yield from _keys(text, {"type", "text", "emoji"}, what)
    elif text["type"] == "mrkdwn" and not plain:
        yield from _keys(text, {"type", "text", "verbatim"}, what)
    else:
        yield f"{what} of type {text['type']}"
    if not text["text"].strip():
        yield f"{what} is empty"
    yield from _longest(text["text"], most, what)


def _longest(text: str, most: int, what: str) -> Iterator[str]:
    # Counted as JavaScript does, where a character beyond the first plane counts twice.
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > most:
        yield f"{what} has more than {most} characters"


def _keys(found: dict[str, Json], known: set[str], what: str) -> Iterator[str]:
    for name in found.keys() - known:
        yield f"{what} has no {name}"


def _unique(names: list[str], what: str) -> Iterator[str]:
    if len(set(names)) < len(names):
        yield f"two of the same {what}"
