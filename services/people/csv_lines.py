"""Reads a CSV file of people: what each line says, and which lines are wrong and why; pure."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.directory import label
from services.directory.fields import CHANNEL, LABEL, is_time_zone
from services.web.emails import NotAnAddress, email

MOST_LINES = 100_000
MOST_LABELS = 100
LONGEST = 200
COLUMNS = ("email", "name", "groups", "roles", "manager", "time_zone", "active")
CHANNELS = ("slack", "discord", "teams", "webhook", "apprise")
"""Every kind of channel, each called as its kind; `email` is the column of the person already."""
PREFIX = "channels."
"""Begins the name of a column with the addresses of another channel, as in `channels.email`."""
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class NotCsv(Exception):
    """The file as a whole cannot be taken: the message says why, and nothing was done."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a line was not taken; lines are counted from 1, which is the header."""

    line: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What a line says of somebody; `sets` are the columns that the file has.

    An empty cell of such a column says that there is none; of `active`, it says nothing.
    """

    line: int
    email: str
    name: str | None = None
    groups: Sequence[str] | None = None
    roles: Sequence[str] | None = None
    manager: str | None = None
    time_zone: str | None = None
    active: bool | None = None
    channels: Mapping[str, str]
    sets: frozenset[str]


def read_lines(body: bytes) -> tuple[list[Line], list[Problem]]:
    """Return the lines and those that are wrong; raises `NotCsv` for the file as a whole."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotCsv("The file is not UTF-8. Save it as CSV UTF-8.") from error
    header = text.partition("\n")[0]
    delimiter = ";" if ";" in header and "," not in header else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(next(rows, []))
    except csv.Error as error:
        raise NotCsv(f"Line 1 is not CSV: {error}.") from error
    lines: list[Line] = []
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for number, cells in _numbered(rows, problems):
        if number > MOST_LINES + 1:
            raise NotCsv(f"The file has over {MOST_LINES} lines. Send it in parts.")
        try:
            line = _line(number, columns, cells)
        except ValueError as error:
            problems.append(Problem(number, str(error)))
            continue
        if line.email in first:
            there = first[line.email]
            problems.append(Problem(number, f"email: {line.email} stands on line {there} already"))
            continue
        first[line.email] = number
        lines.append(line)
    return lines, problems


def _columns(cells: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    if "email" not in columns:
        known = ", ".join((*COLUMNS, *CHANNELS, f"{PREFIX}NAME"))
        raise NotCsv(f"The first line must name the columns, email among them. Known are {known}.")
    for column in columns:
        if column not in (*COLUMNS, *CHANNELS) and not _channel(column):
            known = ", ".join((*COLUMNS, *CHANNELS, f"{PREFIX}NAME"))
            raise NotCsv(f"The column {column[:100]!r} is not known. Known are {known}.")
        if columns.count(column) > 1:
            raise NotCsv(f"The column {column} is there twice.")
        if column in CHANNELS and f"{PREFIX}{column}" in columns:
            raise NotCsv(f"The columns {column} and {PREFIX}{column} are the same: leave one out.")
    return columns


def _channel(column: str) -> str | None:
    """Return the channel that a column holds the addresses of."""
    name = column.removeprefix(PREFIX)
    named = column in CHANNELS or (column != name and CHANNEL.fullmatch(name) is not None)
    return name if named else None


def _numbered(
    rows: "Iterator[list[str]]", problems: list[Problem]
) -> Iterator[tuple[int, list[str]]]:
    """Return the rows that hold anything, each with the line on which it begins."""
    while True:
        number = rows.line_num + 1  # type: ignore[attr-defined]  # a reader of csv has it
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(Problem(number, f"this is not CSV: {error}; nothing after it was read"))
            return
        if any(cell.strip() for cell in cells):
            yield number, cells


def _line(number: int, columns: Sequence[str], cells: Sequence[str]) -> Line:
    """Return what the cells say; raises `ValueError` with what is wrong."""
    if len(cells) > len(columns):
        raise ValueError(f"has {len(cells)} cells, and there are {len(columns)} columns")
    if len(cells) < len(columns):
        raise ValueError(f"has {len(cells)} cells only, and there are {len(columns)} columns")
    given = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
    for column, cell in given.items():
        if _CONTROL.search(cell):
            raise ValueError(f"{column}: holds a control character")
        if len(cell) > LONGEST and column not in ("groups", "roles"):
            raise ValueError(f"{column}: is longer than {LONGEST} characters")
    address = _address("email", given["email"])
    manager = _address("manager", given["manager"]) if given.get("manager") else None
    zone = given.get("time_zone") or None
    if zone is not None and not is_time_zone(zone):
        raise ValueError(
            f"time_zone: {zone[:100]!r} is no time zone: write one such as Europe/Berlin"
        )
    return Line(
        line=number,
        email=address,
        name=given.get("name") or None,
        groups=_labels("groups", given),
        roles=_labels("roles", given),
        manager=manager,
        time_zone=zone,
        active=_active(given.get("active", "")),
        channels={channel: given[column] for column in given if (channel := _channel(column))},
        sets=frozenset(given),
    )


def _address(column: str, cell: str) -> str:
    try:
        return email(cell)
    except NotAnAddress as error:
        raise ValueError(f"{column}: {error}") from error


def _labels(column: str, given: Mapping[str, str]) -> Sequence[str] | None:
    if column not in given:
        return None
    found = sorted({label(one) for one in re.split(r"[;|]", given[column]) if one.strip()})
    if len(found) > MOST_LABELS:
        raise ValueError(f"{column}: are over {MOST_LABELS}")
    for one in found:
        if not LABEL.fullmatch(one):
            raise ValueError(f"{column}: {one[:50]!r} is longer than 100 characters")
    return found


def _active(cell: str) -> bool | None:
    if not cell:
        return None
    if cell.lower() in (*_YES, *_NO):
        return cell.lower() in _YES
    raise ValueError(f"active: {cell[:50]!r} is neither true nor false")
