"""What a list of approvals is narrowed to, as it stands in the address of its page; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from projections.finding import Kinds, Narrowed
from services.channels.facts import words
from services.queue.pages.words import DAY, source_label
from services.web.problems import Invalid

MOST_TEXT = 200
SOON_S = DAY
URGENCIES: Mapping[str, int] = {"high": 0, "medium": 1, "low": 2}

_NO_KINDS = Kinds((), ())

Choices = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody looks for: the fields of the form and the parameters of the address."""

    q: str = ""
    type: str = ""
    source: str = ""
    urgency: str = ""
    requester: str = ""
    due: str = ""

    @property
    def anything(self) -> bool:
        """Tell whether it is narrowed at all."""
        return self != Wanted()

    @property
    def filters(self) -> int:
        """How many filters there are beside the text."""
        return sum(1 for name, value in self.parameters() if name != "q" and value)

    def parameters(self) -> list[tuple[str, str]]:
        """Return what is set, by name."""
        found = ((one.name, str(getattr(self, one.name))) for one in fields(self))
        return [(name, value) for name, value in found if value]

    def narrowed(self) -> Narrowed:
        """Return it as the read side takes it."""
        return Narrowed(
            text=self.q or None,
            type=self.type or None,
            source=self.source or None,
            requester=self.requester or None,
            urgency=URGENCIES[self.urgency] if self.urgency else None,
            due_in_s=SOON_S if self.due else None,
        )

    def says(self) -> str:
        """Return it in words."""
        parts = (
            (f"“{self.q}”", self.q),
            (words(self.type), self.type),
            (f"from {source_label(self.source)}", self.source),
            (f"{self.urgency} urgency", self.urgency),
            (f"asked by {self.requester}", self.requester),
            ("due within a day", self.due),
        )
        return ", ".join(said for said, there in parts if there)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The form above a list: where it leads, what is looked for, and what there is to choose."""

    action: str
    wanted: Wanted
    kept: Sequence[tuple[str, str]]
    """What the form keeps of the address beside its own fields."""
    types: Choices
    sources: Choices
    urgencies: Choices
    by_requester: bool
    by_urgency: bool

    def address(self, **more: str | None) -> str:
        """Return the address of this list with what is looked for, and more."""
        return address(self.action, [*self.kept, *self.wanted.parameters()], **more)

    def back(self, cursor: str | None) -> str:
        """Return the parameters by which an answer comes back to this page, empty for none."""
        return self.address(cursor=cursor).partition("?")[2]

    @property
    def everything(self) -> str:
        """The address of this list without what is looked for."""
        return address(self.action, self.kept)


def wanted_in(parameters: Mapping[str, str]) -> Wanted:
    """Return what somebody looks for; raises 422 for what cannot be."""
    found = {one.name: parameters.get(one.name, "").strip() for one in fields(Wanted)}
    for name, value in found.items():
        if len(value) > MOST_TEXT or "\0" in value:
            raise Invalid(
                f"{name}: at most {MOST_TEXT} characters can be looked for.", pointer=f"/{name}"
            )
    if found["urgency"] not in ("", *URGENCIES):
        raise Invalid("urgency: high, medium or low.", pointer="/urgency")
    if found["due"] not in ("", "soon"):
        raise Invalid("due: soon, or leave it out.", pointer="/due")
    wanted = Wanted(**found)
    return replace(wanted, requester=wanted.requester.lower())


def search(
    action: str,
    wanted: Wanted,
    kinds: Kinds = _NO_KINDS,
    *,
    kept: Sequence[tuple[str, str]] = (),
    by_requester: bool = True,
    by_urgency: bool = True,
) -> Search:
    """Return the form for a list; what it has no field for is left out of what is looked for."""
    if not by_requester:
        wanted = replace(wanted, requester="")
    if not by_urgency:
        wanted = replace(wanted, urgency="")
    return Search(
        action=action,
        wanted=wanted,
        kept=kept,
        types=_choices(kinds.types, wanted.type, words),
        sources=_choices(kinds.sources, wanted.source, source_label),
        urgencies=[(one, one.capitalize()) for one in URGENCIES],
        by_requester=by_requester,
        by_urgency=by_urgency,
    )


def address(path: str, parameters: Sequence[tuple[str, str]], **more: str | None) -> str:
    """Return a path with its parameters."""
    extra = [(name, value) for name, value in more.items() if value]
    query = urlencode([*parameters, *extra])
    return f"{path}?{query}" if query else path


def _choices(values: Sequence[str], chosen: str, say: Callable[[str], str]) -> Choices:
    """Return what there is to choose, and what was chosen even where there is none of it now."""
    return [(one, say(one)) for one in sorted({*values, chosen} - {""})]
