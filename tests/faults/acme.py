"""Acme Expenses as the system of record of a fault test: its mirror's settings, and what it holds.

The intervals are shorter than the demo's, so that a test sees many of them.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx2

from events.approval import Outcome
from events.digest import payload_digest
from tests.demo.acme_process import DEMO
from tests.faults.collecting import collect
from tests.faults.evidence import Evidence, SourceRow
from tests.faults.history import findings, report
from tests.faults.told import Telling

SOURCE = "acme-expenses"
SETTLED_S = 60.0
_FASTER = (
    ("interval: 10s", "interval: 500ms"),
    ("interval: 60s", "interval: 2s"),
    ("lookback: 2m", "lookback: 3s"),
    ("timeout: 10s", "timeout: 2s"),
)
_OUTCOMES: dict[str, Outcome] = {"approved": "approved", "rejected": "rejected"}


def mirror_settings(folder: Path, url: str) -> dict[str, str]:
    """Write the files that mirror it, and return the settings that name them."""
    source = (DEMO / f"{SOURCE}.yaml").read_text()
    for slow, fast in _FASTER:
        assert slow in source, f"the demo's file has no {slow!r} any more"
        source = source.replace(slow, fast)
    (folder / f"{SOURCE}.yaml").write_text(source)
    config = folder / "placet.yaml"
    config.write_text(f"sources: [{SOURCE}.yaml]\nchannels: [inbox, outbox]\n")
    return {"PLACET_CONFIG": str(config), "ACME_EXPENSES_URL": url}


async def mirrored(
    dsn: str, bootstrap: str, telling: Telling, acme: httpx2.AsyncClient
) -> Evidence:
    """Wait until nothing is wrong, and return what is there; fails with what stays wrong.

    The system's faults must be off.
    """
    until = time.monotonic() + SETTLED_S
    while True:
        rows = await rows_of(acme)
        evidence = await collect(dsn, bootstrap, telling.commands, source=rows)
        found = findings(evidence)
        untold = evidence.waiting - {
            (one.approver, one.approval_id) for one in evidence.outbox if one.shown == "open"
        }
        if not found and not untold:
            return evidence
        wrong = f"{report(found)}\n{len(untold)} wait untold\n{telling.counted()}"
        assert time.monotonic() < until, wrong
        await asyncio.sleep(1)


async def rows_of(acme: httpx2.AsyncClient) -> dict[str, SourceRow]:
    """Return what it holds of every record that it lists, as it says itself."""
    rows: dict[str, SourceRow] = {}
    cursor: str | None = None
    while True:
        asked = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        page = (await acme.get("/approvals", params=asked)).raise_for_status().json()
        rows |= {one["id"]: _row(one) for one in page["records"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return rows


def _row(record: dict[str, Any]) -> SourceRow:
    shown = ("report_id", "total_amount", "currency", "description", "submitter", "line_items")
    return SourceRow(
        record_id=record["id"],
        state="pending" if record["status"] == "pending" else "settled",
        outcome=_OUTCOMES.get(record["status"]),
        settled_by=record["decided_by"],
        reason=record["decision_reason"],
        digest=payload_digest({name: record[name] for name in shown}),
        notes=tuple(note["text"] for note in record["notes"]),
    )
