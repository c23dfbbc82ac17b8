"""Reads a page as a person or a program would: its texts, links, forms and fields."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "img", "br", "hr"}


@dataclass
class Element:
    """An element with what is in it."""

    tag: str
    attributes: dict[str, str]
    parent: "Element | None" = None
    children: "list[Element | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text, with single spaces."""
        return " ".join(" ".join(self._texts()).split())

    def _texts(self) -> list[str]:
        found = []
        for child in self.children:
            found.extend([child] if isinstance(child, str) else child._texts())
        return found

    def all(self, tag: str, **wanted: str) -> "list[Element]":
        """Every element of a kind below this one, with these attributes."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if child.tag == tag and all(
                    child.attributes.get(name.strip("_").replace("_", "-")) == value
                    for name, value in wanted.items()
                ):
                    found.append(child)
                found.extend(child.all(tag, **wanted))
        return found

    def one(self, tag: str, **wanted: str) -> "Element":
        """The only such element."""
        found = self.all(tag, **wanted)
        assert len(found) == 1, f"{len(found)} of {tag} {wanted}"
        return found[0]

    def fields(self) -> dict[str, str]:
        """What a browser would send with this form as it is."""
        sent = {
            one.attributes["name"]: one.attributes.get("value", "")
            for one in self.all("input")
            if "name" in one.attributes
        }
        areas = {one.attributes["name"]: one.text for one in self.all("textarea")}
        return sent | areas


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("root", {})
        self._at = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._at)
        self._at.children.append(element)
        if tag not in VOID:
            self._at = element

    def handle_endtag(self, tag: str) -> None:
        at: Element | None = self._at
        while at is not None and at.tag != tag:
            at = at.parent
        assert at is not None, f"</{tag}> closes nothing"
        assert at is self._at, f"</{tag}> leaves <{self._at.tag}> open"
        assert at.parent is not None
        self._at = at.parent

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_data(self, data: str) -> None:
        self._at.children.append(data)


def read(html: str) -> Element:
    """The root of a page; fails on elements that are not closed in order."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser._at is parser.root, f"<{parser._at.tag}> is left open"
    return parser.root
