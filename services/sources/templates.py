"""Mustache templates of a source file: checked when the file is read, and never able to inject.

What a template yields is quoted as a part of a path, or stands as one value in a JSON body: it is
never spliced into text that somebody parses afterwards.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape as escape_html
from math import isfinite
from typing import Any, Literal
from urllib.parse import quote

import pystache
from pystache.parser import ParsingError

from events.approval import Json

MAX_TEMPLATE_CHARS = 16 * 1024
_TAG = re.compile(r"\{\{(?P<kind>[{&#^/>!=]?)\s*(?P<name>.*?)\s*[}=]?\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")

Escape = Literal["none", "html", "path"]
Context = Mapping[str, Json]


class _Renderer(pystache.Renderer):  # type: ignore[misc]  # pystache ships no types
    """Renders values as JSON writes them, and null as nothing."""

    def str_coerce(self, val: Any) -> str:
        """Return the text of a value that is no text."""
        return "" if val is None else json.dumps(val, ensure_ascii=False)


def _quote(text: str) -> str:
    return quote(text, safe="")


def _unchanged(text: str) -> str:
    return text


_ESCAPES: Mapping[Escape, Callable[[str], str]] = {
    "none": _unchanged,
    "html": escape_html,
    "path": _quote,
}


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template that remembers how it was written.

    `names` are the dotted names that it uses outside of sections; `whole` is set when the text is
    one tag and nothing else.
    """

    text: str
    names: tuple[str, ...]
    whole: str | None
    _parsed: Any = field(repr=False, compare=False)

    def render(self, context: Context, escape: Escape = "none") -> str:
        """Return the text with its tags replaced; names without a value become empty."""
        return str(_Renderer(escape=_ESCAPES[escape]).render(self._parsed, dict(context)))

    def value(self, context: Context) -> Json:
        """Return the value itself, None if absent, of a template that is one tag; else its text."""
        if self.whole is None:
            return self.render(context)
        found: Json = context
        for part in self.whole.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


def compiled(text: str) -> Template:
    """Return the template; raises `ValueError` with a sentence that says what is wrong."""
    if len(text) > MAX_TEMPLATE_CHARS:
        raise ValueError(f"is longer than {MAX_TEMPLATE_CHARS} characters")
    names = tuple(_names(text))
    try:
        parsed = pystache.parse(text)
    except ParsingError as error:
        raise ValueError(f"is not a Mustache template: {error}") from error
    only = _TAG.fullmatch(text.strip())
    whole = names[0] if only and only["kind"] == "" and names else None
    return Template(text, names, whole, parsed)


def _names(text: str) -> Iterator[str]:
    """Yield the names used outside of sections; raises `ValueError` for what is not allowed."""
    open_sections: list[str] = []
    end = 0
    for tag in _TAG.finditer(text):
        _check_plain(text[end : tag.start()])
        end = tag.end()
        kind, name = tag["kind"], tag["name"]
        if kind == "!":
            continue
        if kind in {"{", "&"}:
            raise ValueError(
                f"{tag[0]} would put {name} in as it comes, markup and all: "
                f"write {{{{{name}}}}}, which is escaped"
            )
        if kind == ">":
            raise ValueError(f"{tag[0]} includes another template, and there is none: write it out")
        if kind == "=":
            raise ValueError(f"{tag[0]} changes the delimiters: keep {{{{ and }}}}")
        if name != "." and not _NAME.fullmatch(name):
            raise ValueError(f"{tag[0]} holds no name: write it as {{{{name}}}} or {{{{a.name}}}}")
        if kind == "/":
            if not open_sections or open_sections.pop() != name:
                raise ValueError(f"{tag[0]} closes a section that is not open")
            continue
        if not open_sections:
            if name == ".":
                raise ValueError("{{.}} has a meaning only inside a section")
            yield name
        if kind:
            open_sections.append(name)
    _check_plain(text[end:])
    if open_sections:
        raise ValueError(f"the section {{{{#{open_sections[-1]}}}}} is never closed")


def _check_plain(text: str) -> None:
    if "{{" in text:
        raise ValueError("has a {{ that is never closed by }}")


def unknown_name(template: Template, known: Collection[str]) -> str | None:
    """Return the first name that is none of `known`; `row.*` in `known` allows any `row.x.y`."""
    for name in template.names:
        root = name.partition(".")[0]
        if name not in known and f"{root}.*" not in known:
            return name
    return None


@dataclass(frozen=True, slots=True)
class JsonTemplate:
    """A JSON value with templates as some of its texts."""

    _node: Json

    def value(self, context: Context) -> Json:
        """Return the JSON; members whose template is one tag without a value are left out."""
        return _filled(self._node, context)


def json_template(node: Json, known: Collection[str]) -> JsonTemplate:
    """Return the template; raises `FaultyJson` with everything that is wrong, and where."""
    faults: list[tuple[tuple[str | int, ...], str]] = []
    prepared = _prepared(node, known, (), faults)
    if faults:
        raise FaultyJson(faults)
    return JsonTemplate(prepared)


class FaultyJson(Exception):
    """Some texts of a JSON body are no templates: `faults` pairs a path with a sentence."""

    def __init__(self, faults: list[tuple[tuple[str | int, ...], str]]) -> None:
        super().__init__("; ".join(sentence for _, sentence in faults))
        self.faults = faults


def _prepared(
    node: Json,
    known: Collection[str],
    path: tuple[str | int, ...],
    faults: list[tuple[tuple[str | int, ...], str]],
) -> Json:
    if isinstance(node, dict):
        return {key: _prepared(one, known, (*path, key), faults) for key, one in node.items()}
    if isinstance(node, list):
        return [_prepared(one, known, (*path, at), faults) for at, one in enumerate(node)]
    if not isinstance(node, str):
        if isinstance(node, float) and not isfinite(node):
            faults.append((path, "must be a finite number: JSON knows no other"))
        return node
    try:
        return checked(node, known)
    except ValueError as error:
        faults.append((path, str(error)))
        return None


def checked(text: str, known: Collection[str]) -> Template:
    """Return the template; raises `ValueError` also for names that have no value here."""
    template = compiled(text)
    unknown = unknown_name(template, known)
    if unknown is not None:
        raise ValueError(f"{{{{{unknown}}}}} has no value here; known are {', '.join(known)}")
    return template


def _filled(node: Json, context: Context) -> Json:
    if isinstance(node, Template):
        return node.value(context)
    if isinstance(node, dict):
        filled = {key: (one, _filled(one, context)) for key, one in node.items()}
        return {
            key: value
            for key, (one, value) in filled.items()
            if not (value is None and isinstance(one, Template))
        }
    if isinstance(node, list):
        return [_filled(one, context) for one in node]
    return node
