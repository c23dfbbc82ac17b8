"""A card as one HTML document, as an e-mail shows it: nothing remote, every user's text escaped."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from services.channels.card import Asks, Card
from services.channels.digest import Digest, digest_subject, facts_of
from services.channels.text import NOTHING

_VERBS: Mapping[Asks | None, str] = {
    "decision": "Approve or reject",
    "answer": "Answer",
    "changes": "Change it",
    None: "Open",
}


def html(card: Card) -> str:
    """Return the document."""
    return _template("card.html").render(card=card, verb=_VERBS[card.asks], nothing=NOTHING)


def reminder_html(card: Card) -> str:
    """Return the document of a short message that a card still waits for its reader."""
    return _template("reminder.html").render(card=card)


def digest_html(digest: Digest) -> str:
    """Return the document of a digest."""
    return _template("digest.html").render(
        digest=digest, subject=digest_subject(digest), facts_of=facts_of
    )


@cache
def _template(name: str) -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files(__package__).joinpath(name).read_text("utf-8"))
