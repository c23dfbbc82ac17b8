"""Cards with texts that try to be more than text, and with more of it than any channel takes."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

from hypothesis import strategies as st

from services.channels.card import Card
from services.channels.differences import Difference
from services.channels.digest import Digest
from services.channels.facts import Details, Fact, Table
from services.channels.plain import block, line
from tests.channels.views import card_of

NASTY = st.sampled_from(
    [
        "@everyone",
        "@here",
        "<@123456789>",
        "<@&1>",
        "<#1>",
        "<!channel>",
        "<t:1618953630:R>",
        "<:smile:1>",
        "[Approve](https://evil.example/x)",
        "<https://evil.example>",
        "https://evil.example/a_b*c",
        "discord.gg/abc",
        "**bold** __x__ ~~y~~ ||z|| `code` ```block```",
        "# heading",
        "-# small",
        "> quote",
        ">>> all of it",
        "- item",
        "1. item",
        "\\",
        "\\\\[x](y)\\",
        "{{DATE(2020-01-01T00:00:00Z, SHORT)}}",
        "<at>Bo</at>",
        "<b>bold</b>&amp;",
        "\N{ZERO WIDTH SPACE}",
        "\N{NO-BREAK SPACE}",
        "\N{FAMILY}" * 700,
        "\N{GRINNING FACE}" * 600,
        "*" * 3000,
        "\\" * 2999,
        "x" * 5000,
        "two\nlines\n\n# three",
    ]
)
TEXTS = st.one_of(
    NASTY,
    st.text(max_size=60),
    st.lists(st.one_of(NASTY, st.text(max_size=20)), min_size=1, max_size=4).map("".join),
    st.lists(NASTY, min_size=2, max_size=4).map("\n".join),
)
LONG = TEXTS.map(lambda text: block(text * 3, 8000))
REVISIONS = st.one_of(st.text(min_size=1, max_size=250), st.just("7"), st.just("~x"))


@st.composite
def cards(draw: Any) -> Card:
    """Any card, within the bounds that cards have: its texts come from a few, in every place."""
    pool = draw(st.lists(TEXTS, min_size=3, max_size=7))
    many = draw(st.integers(0, 50))
    texts = cycle(pool)
    fields = tuple(Fact(label=_line(texts), value=block(next(texts), 1000)) for _ in range(many))
    table = Table(
        label=_line(texts),
        columns=tuple(_line(texts) for _ in range(6)),
        rows=tuple(tuple(_line(texts) for _ in range(6)) for _ in range(many)),
        left_out="2 more rows in Placet.",
    )
    differences = tuple(
        Difference(label=_line(texts), before=_line(texts) or None, after=_line(texts) or None)
        for _ in range(many // 5)
    )
    return replace(
        card_of(),
        revision=draw(REVISIONS),
        title=_line(texts),
        status=block(next(texts) * 3, 8000),
        shown=draw(st.sampled_from(["open", "superseded", "settled"])),
        asks=draw(st.sampled_from(["decision", "answer", "changes", None])),
        requester=_line(texts),
        approvers=tuple(_line(texts) for _ in range(many)),
        progress=_line(texts),
        answers=tuple(_line(texts) for _ in range(many // 3)),
        warnings=tuple(_line(texts) for _ in range(many // 10)),
        said=fields[:6],
        reason=block(next(texts), 2000) or None,
        amount=_line(texts) or None,
        differences=differences,
        body=draw(st.sampled_from([None, block(next(texts) * 3, 8000)])),
        details=Details(facts=fields[:30], tables=(table,) * (many % 4), left_out=_line(texts)),
        record=_line(texts) or None,
        record_link=draw(
            st.sampled_from([None, "https://acme.example/1", "https://a.example/" + "x" * 1900])
        ),
    )


def _line(texts: Iterator[str]) -> str:
    return line(next(texts), 200)


def digest_of(count: int, card: Card | None = None) -> Digest:
    """A list of so many cards, and seven that are not on it."""
    return Digest(
        cards=(card or card_of(),) * count,
        more=7,
        link="https://placet.example.com/inbox",
        settings_link="https://placet.example.com/preferences",
    )
