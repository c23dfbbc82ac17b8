"""Faults of a business system that can be switched on at run time, kept in memory only."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Any

from acme_expenses.fields import Fields


class Operation(StrEnum):
    """What a caller of the API can ask for, as faults name it."""

    LIST = "list"
    GET = "get"
    CREATE = "create"
    EDIT = "edit"
    CANCEL = "cancel"
    DECIDE = "decide"
    NOTE = "note"


MALFORMED_KINDS = ("missing_approver", "non_numeric_amount", "missing_id", "null_row")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that a fault takes, with its bounds and what it is when left out."""

    name: str
    low: float
    high: float
    default: float
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fault takes and which operations it can strike.

    `short` names the field that a bare number stands for.
    """

    operations: tuple[Operation, ...]
    amount: Amount | None = None
    short: str | None = None
    rows: bool = False


_ALL = tuple(Operation)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "latency_ms": Kind(_ALL, Amount("ms", 1, 30_000, 500), "ms"),
        "rate_limit": Kind(_ALL, Amount("retry_after_s", 0, 3600, 1, whole=True)),
        "error_500": Kind(_ALL, short="probability"),
        "timeout_after_write": Kind(
            (Operation.DECIDE, Operation.NOTE), Amount("hang_s", 0, 60, 30), "hang_s"
        ),
        "late_rows": Kind((Operation.CREATE,), Amount("after_s", 0, 3600, 5), "after_s"),
        "duplicates": Kind((Operation.LIST,)),
        "malformed_rows": Kind((Operation.LIST,), rows=True),
    }
)


@dataclass(slots=True)
class Fault:
    """One fault that is switched on.

    It strikes each request that it can strike, unless `every_n` or `probability` spares some, and
    ends after `times` strikes.
    """

    only: tuple[Operation, ...]
    amount: float | None = None
    every_n: int | None = None
    probability: float | None = None
    times: int | None = None
    kinds: tuple[str, ...] = ()
    asked: int = field(default=0, compare=False)

    def due(self, random: Random) -> bool:
        """Whether the next request is to be struck; counts it."""
        self.asked += 1
        if self.every_n is not None:
            return self.asked % self.every_n == 0
        if self.probability is not None:
            return random.random() < self.probability
        return True


class Faults:
    """The faults that are on, and how often each has struck since the last reset."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._on: dict[str, Fault] = {}
        self._struck: Counter[str] = Counter()

    def settings(self) -> dict[str, Any]:
        """What is on, as `replace` takes it; `times` is what is left of it."""
        return {
            name: _as_json(name, self._on[name]) if name in self._on else None for name in KINDS
        }

    def struck(self) -> dict[str, int]:
        """How often each fault has struck since the last reset."""
        return {name: self._struck[name] for name in KINDS}

    def active(self) -> list[str]:
        """The names of the faults that are on."""
        return [name for name in KINDS if name in self._on]

    def replace(self, body: Any) -> None:
        """Switches on exactly the faults given; raises CorrectInputError and then changes none."""
        outer = Fields(body, KINDS)
        found: dict[str, Fault] = {}
        if isinstance(body, dict):
            for name in KINDS:
                given = body.get(name)
                if given is not None and given is not False:
                    fault, faults = _parse(name, given)
                    outer.faults += faults
                    found[name] = fault
        outer.check()
        self._on = found

    def reset(self) -> None:
        """Switches all off and forgets the counts. Rows that are late already stay late."""
        self._on = {}
        self._struck.clear()

    def strike(self, name: str, operation: Operation) -> Fault | None:
        """The fault, if it strikes this request; counts it against `times`."""
        fault = self._on.get(name)
        if fault is None or operation not in fault.only or not fault.due(self._random):
            return None
        self._struck[name] += 1
        if fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                del self._on[name]
        return fault

    def lateness(self) -> timedelta | None:
        """How long a report that is created now stays out of the lists."""
        fault = self.strike("late_rows", Operation.CREATE)
        return None if fault is None else timedelta(seconds=fault.amount or 0)

    def spoil(self, rows: list[dict[str, Any]]) -> list[Any]:
        """The rows of a list, with repeats and malformed rows where those faults strike."""
        answer: list[Any] = list(rows)
        if rows and self.strike("duplicates", Operation.LIST):
            answer += rows[::2]
        if rows and (fault := self.strike("malformed_rows", Operation.LIST)):
            # In front, so that a reader that stops at the first bad row misses all the good ones.
            answer = [_malformed(kind, rows[0]) for kind in fault.kinds] + answer
        return answer


def _parse(name: str, given: Any) -> tuple[Fault, list[tuple[str, str]]]:
    kind = KINDS[name]
    amount = kind.amount
    if given is True:
        given = {}
    elif isinstance(given, int | Decimal) and kind.short:
        given = {kind.short: given}
    known = ["times", "every_n", "probability", "only"]
    known += [amount.name] if amount else []
    known += ["kinds"] if kind.rows else []
    fields = Fields(given, known, f"{name}.")
    if not isinstance(given, dict):
        return Fault(()), fields.faults
    fault = Fault(
        only=tuple(
            Operation(word) for word in fields.words("only", [str(op) for op in kind.operations])
        ),
        amount=None if amount is None else _amount(fields, amount),
        every_n=_whole(fields, "every_n", 10_000),
        probability=fields.number("probability", 0, 1, None),
        times=_whole(fields, "times", 1_000_000),
        kinds=tuple(fields.words("kinds", MALFORMED_KINDS)) if kind.rows else (),
    )
    if fault.every_n is not None and fault.probability is not None:
        fields.fault("every_n", "and probability exclude each other; send one of them")
    return fault, fields.faults


def _whole(fields: Fields, name: str, high: int) -> int | None:
    value = fields.number(name, 1, high, None, whole=True)
    return None if value is None else int(value)


def _amount(fields: Fields, amount: Amount) -> float | None:
    return fields.number(amount.name, amount.low, amount.high, amount.default, whole=amount.whole)


def _as_json(name: str, fault: Fault) -> dict[str, Any]:
    kind = KINDS[name]
    shown: dict[str, Any] = {}
    if kind.amount is not None:
        shown[kind.amount.name] = fault.amount
    if kind.rows:
        shown["kinds"] = list(fault.kinds)
    return {
        **shown,
        "every_n": fault.every_n,
        "probability": fault.probability,
        "times": fault.times,
        "only": [str(operation) for operation in fault.only],
    }


def _malformed(kind: str, row: dict[str, Any]) -> Any:
    # An id of its own: the row that it was made from stands whole in the same list.
    broken = {**row, "id": f"MALFORMED-{kind}", "report_id": f"MALFORMED-{kind}"}
    match kind:
        case "missing_approver":
            del broken["approver"]
        case "non_numeric_amount":
            broken["total_amount"] = "seven hundred"
        case "missing_id":
            del broken["id"], broken["report_id"]
        case _:
            return None
    return broken
