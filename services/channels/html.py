"""A card as one HTML document, as an e-mail shows it: nothing remote, every user's text escaped."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from services.channels.card import Asks, Card

_VERBS: Mapping[Asks | None, str] = {
    "decision": "Approve or reject",
    "answer": "Answer",
    "changes": "Change it",
    None: "Open",
}


def html(card: Card) -> str:
    """Return the document."""
    return _template("card.html").render(card=card, verb=_VERBS[card.asks])


def reminder_html(card: Card) -> str:
    """Return the document of a short message that a card still waits for its reader."""
    return _template("reminder.html").render(card=card)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files(__package__).joinpath(name).read_text("utf-8"))
