"""Acme Expenses as a process of its own, and what tests send it."""

import itertools
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "demo"
JOHN = {"email_addr": "john.smith@example.com"}
JANE = {"email_addr": "jane.doe@example.com"}
_numbers = itertools.count(1)


class Acme:
    """A running Acme Expenses on a free port."""

    def __init__(self, data: Path, *options: str, token: str | None = None) -> None:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(DEMO)}
        if token is not None:
            environment["ACME_EXPENSES_TOKEN"] = token
        self.data = data
        self.log = data.with_suffix(".log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "acme_expenses", "--port", "0", "--data", str(data), *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"\(port (\d+),", line)
        if found is None:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not start: {line}{self.errors()}")
        self.url = f"http://127.0.0.1:{found[1]}"
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.http = httpx2.Client(base_url=self.url, timeout=10, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end(signal.SIGTERM)

    def end(self, by: signal.Signals) -> int:
        """Ends the process if it runs; its exit code."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(by)
        code = self.process.wait(timeout=10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
        return code

    def errors(self) -> str:
        """What the process wrote to its log."""
        return self.data.with_suffix(".log").read_text()

    def create(self, **changes: Any) -> dict[str, Any]:
        """A new pending report of 12.34 USD, with an id that no other test has."""
        response = self.http.post("/approvals", json=draft(**changes))
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    def record(self, report_id: str) -> dict[str, Any]:
        """The report as it is now."""
        response = self.http.get(f"/approvals/{report_id}")
        assert response.status_code == 200, response.text
        record: dict[str, Any] = response.json()
        return record

    def tag(self, report_id: str) -> str:
        """The ETag of the report as it is now."""
        return str(self.http.get(f"/approvals/{report_id}").headers["ETag"])

    def everything(self, **query: Any) -> list[Any]:
        """All records that a reader of pages gets."""
        records: list[Any] = []
        cursor = None
        while True:
            asked = query if cursor is None else {**query, "cursor": cursor}
            response = self.http.get("/approvals", params=asked)
            assert response.status_code == 200, response.text
            page = response.json()
            records += page["records"]
            cursor = page["next_cursor"]
            if cursor is None:
                return records

    def fault(self, **faults: Any) -> None:
        """Switches on exactly these faults."""
        response = self.http.put("/faults", json=faults)
        assert response.status_code == 200, response.text

    def decide(self, report_id: str, decision: str = "approve", **headers: str) -> httpx2.Response:
        """Answers a report; headers are named with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(
            f"/approvals/{report_id}/decision", json={"decision": decision}, headers=named
        )


def draft(**changes: Any) -> dict[str, Any]:
    """The body of a new report; a change to None leaves the field out."""
    body = {
        "report_id": f"TEST-{next(_numbers)}",
        "currency": "USD",
        "description": "Printer paper",
        "submitter": JANE,
        "approver": JOHN,
        "line_items": [
            {"item": "Paper", "category": "Office Supplies", "amount": 10.04},
            {"item": "Delivery", "category": "Other", "amount": 2.3},
        ],
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def fields(response: httpx2.Response) -> list[str]:
    """The fields that a problem document names."""
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return [error["field"] for error in response.json()["errors"]]
