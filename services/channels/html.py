"""A card as one HTML document, as an e-mail shows it: nothing remote, every user's text escaped."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from services.channels.card import Card


def html(card: Card) -> str:
    """Return the document."""
    return _template().render(card=card)


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(files(__package__).joinpath("card.html").read_text("utf-8"))
