"""What is to be approved, as facts and tables that a person can read; pure.

A card shows the most important of a payload; this page is where the rest of it is seen. So nothing
is left out here without saying so.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from events.approval import Json
from services.channels.facts import amount, currency_of, headline, words

MAX_FACTS = 60
MAX_TABLES = 5
MAX_ROWS = 200
MAX_COLUMNS = 8
MAX_CHARS = 4_000
"""Of one value; all of it stands in the JSON below the facts."""
NOTHING = "\N{EN DASH}"
CUT = "\N{HORIZONTAL ELLIPSIS}"

_ADDRESSES = ("email", "email_addr", "email_address")
_NAMES = ("name", "full_name", "display_name")
_ADDED = re.compile(r"(amount|total)s?$")
_PERSONAL = frozenset((*_ADDRESSES, *_NAMES, "id", "record_id"))


@dataclass(frozen=True, slots=True)
class Fact:
    """A field with its value; `key` tells the same field again in another revision."""

    key: str
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Table:
    """Entries of one kind, such as line items; `whole` is false when some are not shown."""

    key: str
    caption: str
    columns: tuple[tuple[str, bool], ...]
    """Each column's heading, and whether it holds numbers."""
    rows: tuple[tuple[str, ...], ...]
    sum: tuple[int, str] | None
    """The column of amounts, and what all of them add up to."""
    contradicts: bool
    """Whether that is another amount than the payload's own."""
    whole: bool


@dataclass(frozen=True, slots=True)
class Content:
    """A payload made readable; `whole` is false when something stands in the JSON only."""

    facts: tuple[Fact, ...]
    tables: tuple[Table, ...]
    json: str
    whole: bool


def read_payload(payload: Json) -> Content:
    """Return the facts and tables of a payload."""
    fields = payload if isinstance(payload, Mapping) else {"payload": payload}
    currency = currency_of(fields)
    total = headline(payload)
    expected = fields[total[0]] if total else None
    facts: list[Fact] = []
    tables: list[Table] = []
    for key, value in fields.items():
        if _is_table(value):
            tables.append(_table(key, value, currency, expected))
        elif value != currency or not _is_currency(key, fields):
            facts.extend(_facts(key, words(key), value, currency))
    return Content(
        facts=tuple(facts[:MAX_FACTS]),
        tables=tuple(tables[:MAX_TABLES]),
        json=_pretty(payload),
        whole=len(facts) <= MAX_FACTS
        and len(tables) <= MAX_TABLES
        and all(table.whole for table in tables)
        and not any(fact.value.endswith(CUT) for fact in facts),
    )


def _is_currency(key: str, fields: Mapping[str, Json]) -> bool:
    """Tell whether a field is a currency that stands beside an amount already."""
    return key.lower().startswith("currency") and any(map(amount, fields, fields.values()))


def _facts(key: str, name: str, value: Json, currency: str | None) -> Iterator[Fact]:
    if isinstance(value, Mapping) and value and _person(value) is None and _is_flat(value):
        within = _currency_within(value, currency)
        for inner, scalar in value.items():
            found = f"{name}: {words(inner).lower()}"
            yield Fact(f"{key}.{inner}", found, _text(inner, scalar, within))
    else:
        yield Fact(key, name, _text(key, value, currency))


def _currency_within(fields: Mapping[str, Json], outer: str | None) -> str | None:
    """Return the currency of an entry: its own where it names one, else that around it."""
    return currency_of(fields) if any("currency" in key.lower() for key in fields) else outer


def _text(key: str, value: Json, currency: str | None) -> str:
    match value:
        case _ if value in (None, "", [], {}):
            return NOTHING
        case bool():
            return "Yes" if value else "No"
        case str():
            return _cut(value)
        case int() | float():
            return _number(key, value, currency)
        case list() if all(_is_scalar(one) for one in value):
            return _cut(", ".join(_text(key, one, currency) for one in value))
        case dict():
            return _person(value) or _pretty(value)
        case _:
            return _pretty(value)


def _number(key: str, value: float, currency: str | None) -> str:
    money = amount(key, value)
    if money is None:
        return str(value)
    return f"{money} {currency}" if currency else money


def _person(value: Mapping[str, Json]) -> str | None:
    if not _PERSONAL.issuperset(value):
        return None  # whoever has a role or a limit beside the name: that is what is approved
    address = next((value[key] for key in _ADDRESSES if isinstance(value.get(key), str)), None)
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    if address is None:
        return None
    return _cut(f"{name} ({address})" if name else address)


def _is_scalar(value: Json) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _is_flat(value: Mapping[str, Json]) -> bool:
    return all(_is_scalar(one) for one in value.values())


def _is_table(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _table(
    key: str,
    entries: Sequence[Mapping[str, Json]],
    currency: str | None,
    total: Json,
) -> Table:
    shown = entries[:MAX_ROWS]
    keys = list(dict.fromkeys(one for entry in shown for one in entry))
    columns = keys[:MAX_COLUMNS]
    rows = []
    for entry in shown:
        within = _currency_within(entry, currency)
        rows.append(tuple(_text(one, entry.get(one), within) for one in columns))
    added = _sum(columns, entries, currency) if len(entries) <= MAX_ROWS else None
    return Table(
        key=key,
        caption=words(key),
        columns=tuple(
            (words(one), all(_is_number(entry.get(one)) for entry in shown)) for one in columns
        ),
        rows=tuple(rows),
        sum=(added[0], _number(columns[added[0]], added[1], currency)) if added else None,
        contradicts=added is not None and total is not None and added[1] != total,
        whole=len(entries) <= MAX_ROWS
        and len(keys) <= MAX_COLUMNS
        and not any(cell.endswith(CUT) for row in rows for cell in row),
    )


def _sum(
    columns: Sequence[str], entries: Sequence[Mapping[str, Json]], currency: str | None
) -> tuple[int, int | float] | None:
    """Return place and sum of the last column of amounts; None where they cannot be added.

    Prices of one piece are amounts too, but their sum says nothing.
    """
    if any(_currency_within(entry, currency) != currency for entry in entries):
        return None
    for place in reversed(range(1, len(columns))):
        key = columns[place]
        values = [entry.get(key) for entry in entries]
        if _ADDED.search(key.lower()) and all(amount(key, value) for value in values):
            added = sum((Decimal(repr(value)) for value in values), Decimal())
            whole = not any(isinstance(value, float) for value in values)
            return place, int(added) if whole else float(added)
    return None


def _is_number(value: Json) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _pretty(value: Json) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}{CUT}"
