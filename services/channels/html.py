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
    return template(__package__, "card.html").render(
        card=card, verb=_VERBS[card.asks], nothing=NOTHING
    )


def reminder_html(card: Card) -> str:
    """Return the document of a short message that a card still waits for its reader."""
    return template(__package__, "reminder.html").render(card=card)


def digest_html(digest: Digest) -> str:
    """Return the document of a digest."""
    return template(__package__, "digest.html").render(
        digest=digest, subject=digest_subject(digest), facts_of=facts_of
    )


@cache
def template(package: str, name: str) -> Template:
    """Return a document that stands beside the modules of a package, read once."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files(package).joinpath(name).read_text("utf-8"))
