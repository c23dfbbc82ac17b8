"""Draws a card from a source's own Mustache template: what it may name, and what comes of it."""

from typing import Any, Literal, Protocol

from events.approval import Json
from projections.approval_view import ApprovalView
from services.channels.facts import amount
from services.channels.plain import block, line

MOST_TITLE = 200
MOST_BODY = 8000
_MOST_TEXT = 4000
_MOST_ITEMS = 200
_MOST_DEPTH = 8


class Renderable(Protocol):
    """A compiled template; `escape="none"` leaves it to each channel to escape in its own way."""

    def render(self, context: dict[str, Json], escape: Literal["none"]) -> str:
        """Return the text with its tags replaced."""
        ...


class CardTemplate(Protocol):
    """How a source wants its records to be shown; the body is plain text, not HTML."""

    @property
    def title(self) -> Renderable:
        """The first line."""
        ...

    @property
    def body(self) -> Renderable:
        """What stands in place of the payload's fields."""
        ...


def drawn(template: CardTemplate, view: ApprovalView, link: str) -> tuple[str, str]:
    """Return title and body; raises whatever a template that cannot be drawn makes it raise."""
    context = context_of(view, link)
    title = line(template.title.render(context, "none"), MOST_TITLE)
    body = block(template.body.render(context, "none"), MOST_BODY)
    if not title or not body:
        raise ValueError(f"the {'body' if title else 'title'} is empty")
    return title, body


def context_of(view: ApprovalView, link: str) -> dict[str, Json]:
    """Return what a template may name: the payload's fields, and the approval's own.

    A field of the payload that is called like one of the approval's is `payload.NAME`, so that
    no payload can say who asks.
    """
    payload = _plain("", view.payload, 0)
    fields: dict[str, Json] = payload if isinstance(payload, dict) else {}
    source = view.source
    return {
        **fields,
        "payload": payload,
        "title": line(view.title, MOST_TITLE),
        "type": view.type,
        "requester": _person(view.requester),
        "approvers": [_person(one) for one in view.approvers],
        "reason": block(view.reason or "", _MOST_TEXT),
        "urgency": view.urgency,
        "revision": view.revision,
        "source": source.name if source else "",
        "record_id": source.record_id if source else "",
        "link": link,
    }


def _person(person: Any) -> dict[str, Json]:
    email = line(person.email, MOST_TITLE)
    return {"email": email, "name": line(person.name or "", MOST_TITLE) or email}


def _plain(key: str, node: Json, depth: int) -> Json:
    """Return JSON of plain types only, bounded: Mustache would call methods of anything else."""
    if node is None or depth > _MOST_DEPTH:
        # Not left out: within a section an absent name would be looked up outside of it.
        return ""
    if isinstance(node, dict):
        return {name: _plain(name, one, depth + 1) for name, one in node.items()}
    if isinstance(node, list):
        return [_plain(key, one, depth + 1) for one in node[:_MOST_ITEMS]]
    if isinstance(node, str):
        return block(node, _MOST_TEXT)
    return amount(key, node) or node
