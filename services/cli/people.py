"""Commands about people: who is there, taking in a file of them, and who answers for whom."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from services.cli.client import call
from services.cli.console import FAILED, MISUSED, err, fail, out, plain, print_json

app = typer.Typer(no_args_is_help=True, help="Who is there: groups, roles, managers.")
delegations = typer.Typer(
    invoke_without_command=True, help="Who answers for whom, now and later; ends one."
)

IMPORT_TIMEOUT_S = 120.0
TOGETHER = 2000
"""Lines that are sent at once: what is long shows how far it is."""
MOST_SHOWN = 50

Json = Annotated[bool, typer.Option("--json", help="For scripts.")]
Person = Annotated[str, typer.Argument(help="The e-mail address.")]


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a file, with the header; `skipped` lines of the file stand before it."""

    text: str
    skipped: int
    lines: int


@app.command("list")
def list_people(
    *,
    q: Annotated[str | None, typer.Option("--q", help="A part of the name or address.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 50,
    as_json: Json = False,
) -> None:
    """List people, by address."""
    page = call("GET", "/v1/people", params={"q": q, "limit": limit})
    if as_json:
        print_json(page)
        return
    from rich.table import Column, Table

    table = Table(Column("address", no_wrap=True), "name", "groups", "roles", "manager", "active")
    for one in page["data"]:
        table.add_row(
            plain(one["email"]),
            plain(one["name"] or ""),
            plain(", ".join(one["groups"])),
            plain(", ".join(one["roles"])),
            plain(one["manager"] or ""),
            "yes" if one["active"] else "no",
        )
    out.print(table)
    more = "; there are more: raise --limit, or say --q" if page["next_cursor"] else ""
    out.print(f"{len(page['data'])} listed{more}.")


@app.command()
def show(email: Person, *, as_json: Json = False) -> None:
    """Show one person."""
    person = call("GET", f"/v1/people/{quote(email, safe='')}")
    if as_json:
        print_json(person)
        return
    from rich.table import Table

    table = Table(show_header=False)
    for name, value in person.items():
        table.add_row(name, plain(_said(value)))
    out.print(table)


@app.command()
def notifications(email: Person, *, as_json: Json = False) -> None:
    """Show how somebody is told of what waits: order, quiet hours, digests."""
    told = call("GET", f"/v1/people/{quote(email, safe='')}/notifications")
    if as_json:
        print_json(told)
        return
    from rich.table import Table

    table = Table("", "said", "holds")
    for name, holds in told["effective"].items():
        cells = (_said_told(told["own"][name]), _said_told(holds))
        table.add_row(name.replace("_", " "), *(plain(cell) for cell in cells))
    out.print(table)
    channels = ", ".join(told["channels"])
    out.print(plain(f"Channels: {channels}. The inbox always shows what waits."), soft_wrap=True)


@app.command("import")
def import_people(
    file: Annotated[Path, typer.Argument(help="CSV with a header; - reads it.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Take in a CSV file with the columns email, name, groups, roles, manager, and so on.

    Ends with 1 when lines were refused; all others are taken. The same file again is no harm.
    """
    parts = list(_parts(_text(file)))
    total: dict[str, Any] = {"created": 0, "changed": 0, "unchanged": 0, "refused": 0}
    problems: list[dict[str, Any]] = []
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=len(parts) == 1) as progress:
        task = progress.add_task("lines", total=sum(part.lines for part in parts))
        for part in parts:
            done = call(
                "POST",
                "/v1/people/import",
                content=part.text.encode(),
                params={"dry_run": "true"} if dry_run else None,
                headers={"Content-Type": "text/csv"},
                timeout=IMPORT_TIMEOUT_S,
            )
            for name in total:
                total[name] += done[name]
            problems += [one | {"line": one["line"] + part.skipped} for one in done["data"]]
            progress.update(task, advance=part.lines)
    if as_json:
        print_json({**total, "dry_run": dry_run, "data": problems})
    else:
        _tell_import(total, problems, dry_run=dry_run)
    if total["refused"]:
        raise SystemExit(FAILED)


def delegate(
    *,
    to: Annotated[str, typer.Option("--to", help="Who answers meanwhile, by e-mail address.")],
    begins: Annotated[
        str, typer.Option("--from", help="The first day, as 2026-11-23, or a time with its zone.")
    ],
    ends: Annotated[
        str, typer.Option("--until", help="The last day, which is within, or a time with its zone.")
    ],
    person: Annotated[
        str | None, typer.Option(help="Who is away; whoever the key is for by default.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    as_json: Json = False,
) -> None:
    """Let somebody answer for a person who is away; days are those of this machine."""
    body = {
        "to": to,
        "begins": _moment(begins, "--from").isoformat(),
        "ends": _moment(ends, "--until", after=timedelta(days=1)).isoformat(),
        "person": person,
        "reason": reason,
    }
    given = {name: value for name, value in body.items() if value is not None}
    made = call("POST", "/v1/delegations", json=given)
    if as_json:
        print_json(made)
    else:
        text = f"{made['id']}  {made['to']} answers for {made['person']}"
        out.print(plain(f"{text} from {made['begins']} up to {made['ends']}."), soft_wrap=True)


@delegations.callback()
def list_delegations(
    context: typer.Context,
    *,
    person: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    to: Annotated[str | None, typer.Option(help="Only those to this person.")] = None,
    as_json: Json = False,
) -> None:
    """List who answers for whom, now and later."""
    if context.invoked_subcommand is not None:
        return
    page = call("GET", "/v1/delegations", params={"person": person, "to": to, "limit": 200})
    if as_json:
        print_json(page)
        return
    from rich.table import Column, Table

    table = Table(Column("id", no_wrap=True), "person", "answered for by", "from", "up to", "why")
    for one in page["data"]:
        cells = (one["person"], one["to"], one["begins"], one["ends"], one["reason"] or "")
        table.add_row(one["id"], *(plain(cell) for cell in cells))
    out.print(table)
    first = f"; these are the first {len(page['data'])}" if page["next_cursor"] else ""
    out.print(f"{len(page['data'])} listed{first}.")


@delegations.command("end")
def end_delegation(
    delegation_id: Annotated[str, typer.Argument(help="The delegation's id.")],
    *,
    as_json: Json = False,
) -> None:
    """End a delegation now."""
    ended = call("DELETE", f"/v1/delegations/{quote(delegation_id, safe='')}")
    if as_json:
        print_json(ended)
    else:
        text = f"{ended['to']} answers for {ended['person']} no more by {ended['id']}."
        out.print(plain(text), soft_wrap=True)


def _said_told(value: object) -> str:
    if not isinstance(value, list):
        return "" if value is None else _said(value)
    return (
        ", ".join(
            f"{one['from']} to {one['until']} ({', '.join(one['days'])})"
            if isinstance(one, dict)
            else str(one)
            for one in value
        )
        or "none"
    )


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {one}" for name, one in value.items())
    return ", ".join(value) if isinstance(value, list) else str(value or "")


def _text(file: Path) -> str:
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return body.decode("utf-8-sig")
    except OSError as error:
        fail(f"{file} cannot be read: {error}", MISUSED)
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8. Save it as CSV UTF-8.", MISUSED)


def _parts(text: str) -> Iterator[_Part]:
    """Return a file in parts of whole records; one that is no CSV goes as it is, to be refused."""
    lines = list(io.StringIO(text, newline=""))
    header, rest = "".join(lines[:1]), lines[1:]
    delimiter = ";" if ";" in header and "," not in header else ","
    reader = csv.reader(io.StringIO("".join(rest), newline=""), delimiter=delimiter, strict=True)
    start = records = 0
    try:
        for _ in reader:
            records += 1
            if records == TOGETHER:
                end = reader.line_num
                yield _Part(header + "".join(rest[start:end]), start, end - start)
                start, records = end, 0
    except csv.Error:
        pass  # the server says on which line
    if start < len(rest) or not rest:
        yield _Part(header + "".join(rest[start:]), start, len(rest) - start)


def _tell_import(total: dict[str, Any], problems: list[dict[str, Any]], *, dry_run: bool) -> None:
    would = " would be" if dry_run else ""
    out.print(
        f"{total['created']}{would} new, {total['changed']}{would} changed, "
        f"{total['unchanged']} as they were, {total['refused']} refused."
    )
    for one in problems[:MOST_SHOWN]:
        err.print(f"line {one['line']}: {plain(one['problem'])}", soft_wrap=True)
    if total["refused"] > MOST_SHOWN:
        err.print(f"… and {total['refused'] - MOST_SHOWN} more: see --json.")


def _moment(text: str, option: str, after: timedelta = timedelta()) -> datetime:
    """Return a time as it is, and a day as its beginning here, or what comes `after` that."""
    try:
        if len(text) == len("2026-11-23"):
            day = date.fromisoformat(text)
            return datetime.combine(day + after, time()).astimezone()
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        fail(f"{option}: {text!r} is neither a day as 2026-11-23 nor a time.", MISUSED)
    if found.tzinfo is None:
        fail(f"{option}: say the time zone, as in {text}Z.", MISUSED)
    return found
