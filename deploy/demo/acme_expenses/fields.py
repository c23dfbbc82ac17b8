"""Reads untrusted input field by field, and tells every fault at once by the name of its field."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from acme_expenses.drafts import MAX_LINE_ITEMS, person_for
from acme_expenses.errors import CorrectInputError
from acme_expenses.money import CURRENCIES, MAX_CENTS, to_cents
from acme_expenses.records import LineItem, Person
from acme_expenses.times import from_text

_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,189}")
_REPORT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Line feeds and tabs are text; other control characters and halves of surrogate pairs are not,
# and the latter could not be stored as UTF-8.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_MAX_NAME = 200
# A body can hold thousands of wrong fields; an answer need not.
_MAX_FAULTS = 50


class Fields:
    """One object of the input. Each reading collects faults; `check` raises them together.

    A reading that fails returns a harmless stand-in, so that the rest can still be read.
    """

    def __init__(self, given: Any, known: Iterable[str], prefix: str = "") -> None:
        self.faults: list[tuple[str, str]] = []
        self._prefix = prefix
        self._given: Mapping[str, Any] = {}
        if not isinstance(given, dict):
            self.faults.append((prefix.rstrip(".") or "body", "must be an object"))
            return
        self._given = given
        allowed = set(known)
        for name in given:
            if name not in allowed:
                shown = _UNPRINTABLE.sub("?", name)[:_MAX_NAME]
                self.fault(shown, f"is not known here; known are {', '.join(sorted(allowed))}")

    def fault(self, name: str, sentence: str) -> None:
        """Notes that a field is wrong."""
        self.faults.append((self._prefix + name, sentence))

    def check(self) -> None:
        """Raises CorrectInputError, with the first faults, when any field was wrong."""
        if self.faults:
            raise CorrectInputError(self.faults[:_MAX_FAULTS])

    def given(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._given.get(name) is not None

    def blank(self, name: str) -> bool:
        """Whether the field is absent, null or an empty text."""
        return self._given.get(name) in (None, "")

    def text(self, name: str, limit: int) -> str:
        """A text of 1 to `limit` characters that is not blank."""
        value = self._given.get(name)
        if value is None:
            self.fault(name, "is missing")
        elif not isinstance(value, str):
            self.fault(name, "must be a text")
        elif not value.strip():
            self.fault(name, "must not be blank")
        elif len(value) > limit:
            self.fault(name, f"may have at most {limit} characters")
        elif _UNPRINTABLE.search(value):
            self.fault(name, "holds a character that cannot be printed")
        else:
            return value
        return ""

    def text_or_none(self, name: str, limit: int) -> str | None:
        """As `text`; None when the field is absent, null or blank."""
        value = self._given.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        return self.text(name, limit)

    def email(self, name: str) -> str:
        """An email address, in lower case."""
        value = self.text(name, 254)
        if value and not _EMAIL.fullmatch(value):
            self.fault(name, "must be an email address")
        return value.lower()

    def report_id(self, name: str) -> str | None:
        """An id for a report, or None when the field is absent."""
        value = self.text_or_none(name, 64)
        if value and not _REPORT_ID.fullmatch(value):
            self.fault(name, "may hold letters, digits, '.', '_' and '-', and starts with neither")
        return value

    def currency(self, name: str) -> str:
        """One of the currencies; USD stands in for a wrong one."""
        value = self.text(name, 3) if self.given(name) else ""
        if value in CURRENCIES:
            return value
        self.fault(name, f"must be one of {', '.join(CURRENCIES)}")
        return "USD"

    def cents(self, name: str, currency: str) -> int:
        """An amount of money, in cents."""
        value = self._given.get(name)
        if value is None:
            self.fault(name, "is missing")
        elif isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.fault(name, "must be a number such as 12.50")
        else:
            try:
                return to_cents(Decimal(value), currency)
            except ValueError as error:
                self.fault(name, str(error))
        return 0

    def person(self, name: str) -> Person:
        """A person: an object with `email_addr`, and `full_name` and `record_id` if they differ."""
        if not self.given(name):
            self.fault(name, "is missing")
            return person_for("")
        inner = Fields(
            self._given[name],
            ("email_addr", "full_name", "record_id"),
            f"{self._prefix}{name}.",
        )
        known = person_for(inner.email("email_addr") if isinstance(self._given[name], dict) else "")
        full_name = inner.text_or_none("full_name", _MAX_NAME) or known.full_name
        record_id = inner.text_or_none("record_id", _MAX_NAME) or known.record_id
        self.faults += inner.faults
        return Person(known.email_addr, full_name, record_id)

    def line_items(self, name: str, currency: str) -> tuple[LineItem, ...]:
        """A list of expenses whose sum is above zero."""
        rows = self._given.get(name)
        if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_LINE_ITEMS:
            self.fault(name, f"must be a list of 1 to {MAX_LINE_ITEMS} line items")
            return ()
        lines = []
        faults_before = len(self.faults)
        for index, row in enumerate(rows):
            prefix = f"{self._prefix}{name}[{index}]."
            inner = Fields(row, ("item", "category", "amount"), prefix)
            if isinstance(row, dict):
                item = inner.text("item", _MAX_NAME)
                category = inner.text("category", _MAX_NAME)
                lines.append(LineItem(item, category, inner.cents("amount", currency)))
            self.faults += inner.faults
        total = sum(line.cents for line in lines)
        if len(self.faults) == faults_before and not 0 < total <= MAX_CENTS:
            self.fault(name, f"must add up to more than 0 and at most {MAX_CENTS // 100:,}")
        return tuple(lines)

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number from `low` to `high` written as text, as queries and forms carry it."""
        value = self._given.get(name)
        if self.blank(name):
            return default
        text = str(value)
        if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
            return int(text)
        self.fault(name, f"must be a whole number from {low} to {high}")
        return default

    def number(
        self,
        name: str,
        low: float,
        high: float,
        default: float | None,
        *,
        whole: bool = False,
    ) -> float | None:
        """A JSON number from `low` to `high`; `default` when the field is absent."""
        value = self._given.get(name)
        if value is None:
            return default
        right = isinstance(value, int | Decimal) and not isinstance(value, bool)
        if right and low <= value <= high and not (whole and value != int(value)):
            return int(value) if value == int(value) else float(value)
        kind = "whole number" if whole else "number"
        self.fault(name, f"must be a {kind} from {low:g} to {high:g}")
        return default

    def words(self, name: str, choices: Sequence[str]) -> list[str]:
        """A list of some of the given words; all of them when the field is absent."""
        value = self._given.get(name)
        if value is None:
            return list(choices)
        if isinstance(value, list) and value and all(word in choices for word in value):
            return [word for word in choices if word in value]
        self.fault(name, f"must be a list of some of {', '.join(choices)}")
        return list(choices)

    def moment(self, name: str) -> datetime | None:
        """An RFC 3339 time, or None when the field is absent."""
        value = self._given.get(name)
        if value is None:
            return None
        try:
            return from_text(str(value))
        except ValueError:
            self.fault(
                name,
                "must be an RFC 3339 time such as 2025-09-15T08:30:00Z; write + as %2B in a query",
            )
            return None

    def choice(self, name: str, choices: Mapping[str, str]) -> str | None:
        """What the given word, in any case, stands for; None when the field is absent."""
        value = self._given.get(name)
        if self.blank(name):
            return None
        if isinstance(value, str) and value.strip().lower() in choices:
            return choices[value.strip().lower()]
        self.fault(name, f"must be one of {', '.join(choices)}")
        return None
