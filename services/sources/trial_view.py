"""Shows a trial to people, and to scripts."""

from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from events.observation import Observation
from services.sources.trial_report import Level, TrialReport

_SHOWN_ROWS = 20
_MARKS: dict[Level, tuple[str, str]] = {
    "error": ("error", "bold red"),
    "warning": ("warning", "yellow"),
    "note": ("note", "cyan"),
}


def render(report: TrialReport, console: Console) -> None:
    """Print the report for a person."""
    console.print(_text(f"{report.source}  {report.file}  {report.base_url}", "bold"))
    if report.records:
        console.print(_records(report))
    if report.malformed:
        console.print(_malformed(report))
    if report.card is not None:
        title, body = report.card
        console.print(Panel(_text(body), title=_text(title), title_align="left", expand=False))
    if report.answer is not None:
        console.print(_text("An approval would be written back as (not sent):", "bold"))
        console.print(_text(f"  {report.answer.method} {report.answer.path}"))
        for name, value in report.answer.headers.items():
            console.print(_text(f"  {name}: {value}"))
        if report.answer.body is not None:
            console.print_json(data=report.answer.body, indent=2)
    for finding in report.findings:
        word, style = _MARKS[finding.level]
        place = f" ({report.file}:{finding.line})" if finding.line is not None else ""
        console.print(Text.assemble((word, style), _plain(f": {finding.sentence}{place}")))
    console.print(_verdict(report))


def as_json(report: TrialReport) -> dict[str, Any]:
    """Return the report for a script."""
    return {
        "source": report.source,
        "file": report.file,
        "base_url": report.base_url,
        "passed": report.passed,
        "records": [_record(one) for one in report.records],
        "left_out": report.left_out,
        "malformed": [
            {"record_id": row.record_id, "reason": row.reason, "line": row.line}
            for row in report.malformed
        ],
        "findings": [
            {"level": one.level, "sentence": one.sentence, "line": one.line}
            for one in report.findings
        ],
        "card": None if report.card is None else {"title": report.card[0], "body": report.card[1]},
        "answer": None
        if report.answer is None
        else {
            "method": report.answer.method,
            "path": report.answer.path,
            "query": dict(report.answer.query),
            "headers": dict(report.answer.headers),
            "json": report.answer.body,
        },
    }


def _record(observation: Observation) -> dict[str, Any]:
    content = observation.content
    shown: dict[str, Any] = {
        "record_id": observation.record_id,
        "revision": observation.revision,
        "state": observation.state,
        "outcome": observation.outcome,
        "settled_by": observation.settled_by,
    }
    if content is not None:
        shown |= {
            "type": content.type,
            "title": content.title,
            "payload": content.payload,
            "requester": {"email": content.requester.email, "name": content.requester.name},
            "approvers": [{"email": one.email, "name": one.name} for one in content.approvers],
            "reason": content.reason,
            "urgency": content.urgency,
            "url": content.url,
        }
    return shown


def _records(report: TrialReport) -> Table:
    more = len(report.records) - _SHOWN_ROWS
    table = Table(
        title=_text(f"{len(report.records)} records mapped"),
        title_justify="left",
        caption=f"and {more} more" if more > 0 else None,
    )
    for heading in ("record", "revision", "state", "title", "requester", "approvers"):
        table.add_column(heading, overflow="fold")
    for one in report.records[:_SHOWN_ROWS]:
        content = one.content
        table.add_row(
            _text(one.record_id),
            _text(one.revision),
            _text(one.outcome or one.state),
            _text(content.title if content else ""),
            _text(content.requester.email if content else ""),
            _text(", ".join(person.email for person in content.approvers) if content else ""),
        )
    return table


def _malformed(report: TrialReport) -> Table:
    more = len(report.malformed) - _SHOWN_ROWS
    table = Table(
        title=_text(f"{len(report.malformed)} records cannot be mapped", "bold red"),
        title_justify="left",
        caption=f"and {more} more" if more > 0 else None,
    )
    for heading in ("record", "reason", "line"):
        table.add_column(heading, overflow="fold")
    for row in report.malformed[:_SHOWN_ROWS]:
        line = "" if row.line is None else str(row.line)
        table.add_row(_text(row.record_id or "?"), _text(row.reason), line)
    return table


def _verdict(report: TrialReport) -> Text:
    if not report.passed:
        return Text("This file cannot be used yet.", style="bold red")
    if not report.records:
        return Text("The system answers; there was nothing to map.", style="yellow")
    return Text("This file can be used.", style="bold green")


def _text(text: str, style: str = "") -> Text:
    """Return text as it is: what a record holds is neither markup nor an order to the terminal."""
    return Text(_plain(text), style=style)


def _plain(text: str) -> str:
    return "".join(
        one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}" for one in text
    )
