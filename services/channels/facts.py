"""What a payload says, as labels with values and tables: any JSON, in words that a person reads."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from events.approval import Json
from services.channels.plain import block, line

MOST_FACTS = 30
MOST_TABLES = 3
MOST_COLUMNS = 6
MOST_ROWS = 50
MOST_LABEL = 60
MOST_VALUE = 1000
MOST_CELL = 200

_AMOUNT = re.compile(r"\b(amount|total|subtotal|price|cost|value|sum|tax|fee|budget)\b")
# Of these, a number is no amount in the unit of the currency.
_NO_AMOUNT = re.compile(r"\b(cents?|minor|micros?|count|number|id|rate|percent|quantity)\b")
TOTALS = ("total_amount", "amount", "total")
"""Where the amount of an approval stands, the first that is there."""
_CURRENCY_KEYS = ("currency", "currency_code", "currencyCode")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NAME_KEYS = ("full_name", "fullName", "display_name", "displayName", "name")
_EMAIL_KEYS = ("email_addr", "email_address", "emailAddress", "email", "mail")
_CENT = Decimal("0.01")
_CENTS = 2
_HUGE = Decimal(10) ** 20
"""Amounts from here on are shown without cents: more digits than a decimal number keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that the payload says."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A list of like things; `left_out` says in words what of it is not shown."""

    label: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """All that is shown of a payload; `left_out` says in words what is not."""

    facts: tuple[Fact, ...] = ()
    tables: tuple[Table, ...] = ()
    left_out: str | None = None


def details(payload: Json) -> Details:
    """Return what a payload says, bounded in every direction."""
    if isinstance(payload, dict):
        return _of_object(payload)
    if _is_table(payload):
        return Details(tables=(_table("Items", payload, None),))
    text = "" if payload is None else value_of("", payload, None)
    return Details(facts=(Fact(label="Content", value=text),) if text else ())


def words(key: str) -> str:
    """Return a key as words: `total_amount` and `totalAmount` become "Total amount"."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).replace("_", " ").replace("-", " ")
    text = line(split, MOST_LABEL)
    if split != key.replace("_", " ").replace("-", " "):
        text = text.lower()
    return text[:1].upper() + text[1:]


def amount(key: str, value: Json) -> str | None:
    """Return a number as an amount of money, or None when its key does not call it one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    label = words(key).lower()
    if not _AMOUNT.search(label) or _NO_AMOUNT.search(label):
        return None
    exact = Decimal(repr(value))
    if not exact.is_finite():
        return None
    if isinstance(value, float) and -int(exact.as_tuple().exponent) < _CENTS:
        exact = exact.quantize(_CENT) if abs(exact) < _HUGE else exact
    return f"{exact:,f}"


def currency_of(node: Mapping[str, Json]) -> str | None:
    """Return the code of the currency that stands beside the amounts of an object."""
    for key in _CURRENCY_KEYS:
        code = node.get(key)
        if isinstance(code, str) and _CURRENCY.fullmatch(code):
            return code
    return None


def headline(payload: Json) -> tuple[str, str] | None:
    """Return key and text of the amount that an approval is about, if it has one in a currency."""
    if not isinstance(payload, Mapping):
        return None
    currency = currency_of(payload)
    for key in TOTALS:
        text = amount(key, payload.get(key))
        if currency and text:
            return key, f"{text} {currency}"
    return None


def _of_object(payload: Mapping[str, Json]) -> Details:
    currency = currency_of(payload)
    facts: list[Fact] = []
    tables: list[Table] = []
    more = 0
    for key, value in payload.items():
        if value is None or value in ("", [], {}) or (currency and key in _CURRENCY_KEYS):
            continue
        if _is_table(value) and len(tables) < MOST_TABLES:
            tables.append(_table(words(key), value, currency))
        elif len(facts) < MOST_FACTS:
            facts.append(Fact(label=words(key), value=value_of(key, value, currency)))
        else:
            more += 1
    if currency and not any(fact.value.endswith(f" {currency}") for fact in facts):
        # Beside an amount it needs no line of its own.
        facts.append(Fact(label="Currency", value=currency))
    left_out = f"{_count(more, 'more field')} in Placet." if more else None
    return Details(facts=tuple(facts), tables=tuple(tables), left_out=left_out)


def _is_table(value: Json) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(row, dict) and row and _is_flat(row.values()) for row in value)
    )


def _is_flat(values: Iterable[Json]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)


def _table(label: str, items: Sequence[Mapping[str, Json]], currency: str | None) -> Table:
    shown = items[:MOST_ROWS]
    keys = list(dict.fromkeys(key for item in shown for key in item))
    columns = keys[:MOST_COLUMNS]
    rows = tuple(
        tuple(
            line(value_of(key, item.get(key), currency_of(item) or currency), MOST_CELL)
            for key in columns
        )
        for item in shown
    )
    missing = [
        _count(len(items) - len(shown), "more row"),
        _count(len(keys) - len(columns), "more column"),
    ]
    left_out = " and ".join(one for one in missing if one)
    return Table(
        label=label,
        columns=tuple(words(key) for key in columns),
        rows=rows,
        left_out=f"{left_out} in Placet." if left_out else None,
    )


def _count(number: int, thing: str) -> str:
    if number == 0:
        return ""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def value_of(key: str, value: Json, currency: str | None) -> str:
    """Return any value as text, an amount with its currency; empty for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return block(value, MOST_VALUE)
    money = amount(key, value)
    if money is not None:
        return f"{money} {currency}" if currency else money
    if isinstance(value, list) and _is_flat(value):
        return line(
            ", ".join(value_of(key, one, currency) for one in value[:MOST_ROWS]), MOST_VALUE
        )
    if isinstance(value, dict) and _is_flat(value.values()):
        return _of_flat(value, currency)
    return block(json.dumps(value, ensure_ascii=False), MOST_VALUE)


def _of_flat(value: Mapping[str, Json], currency: str | None) -> str:
    email, name = _first_text(value, _EMAIL_KEYS), _first_text(value, _NAME_KEYS)
    if email:
        return line(f"{name} ({email})" if name else email, MOST_VALUE)
    parts = [
        f"{words(key)}: {value_of(key, one, currency_of(value) or currency)}"
        for key, one in value.items()
        if one is not None
    ]
    return line("; ".join(parts), MOST_VALUE)


def _first_text(value: Mapping[str, Json], keys: Sequence[str]) -> str | None:
    for key in keys:
        found = value.get(key)
        if isinstance(found, str) and found.strip():
            return found
    return None
