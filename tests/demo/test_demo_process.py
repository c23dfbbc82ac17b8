"""Acme Expenses starts quickly, ends cleanly, and loses nothing that it answered."""

import ast
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest
from acme_process import DEMO, Acme


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEMO / "acme_expenses"), *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_help_names_every_option_also_when_started_by_its_folder() -> None:
    done = run("--help")
    assert done.returncode == 0
    for option in ("--host", "--port", "--data", "--public-url", "--empty", "ACME_EXPENSES_TOKEN"):
        assert option in done.stdout


def test_wrong_options_are_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        busy = run("--port", port, "--data", str(tmp_path / "a.sqlite3"))
    assert busy.returncode == 2
    assert "Choose another with --port" in busy.stderr
    other = tmp_path / "text"
    other.write_text("This is no database, and long enough to be told from one." * 20)
    wrong = run("--port", "0", "--data", str(other))
    assert wrong.returncode == 2
    assert "choose another file with --data" in wrong.stderr
    monkeypatch.setenv("ACME_EXPENSES_TOKEN", "sésame")
    token = run("--port", "0", "--data", str(tmp_path / "b.sqlite3"))
    assert token.returncode == 2
    assert "ACME_EXPENSES_TOKEN" in token.stderr
    assert "Traceback" not in busy.stderr + wrong.stderr + token.stderr


def test_a_second_program_on_the_same_file_is_refused(acme: Acme) -> None:
    second = run("--port", "0", "--data", str(acme.data))
    assert second.returncode == 2
    assert "Stop the program that holds it" in second.stderr
    assert acme.http.get("/approvals").status_code == 200


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_within_a_second_or_so_and_ends_cleanly(
    tmp_path: Path, by: signal.Signals
) -> None:
    started = time.monotonic()
    acme = Acme(tmp_path / "acme.sqlite3")
    assert acme.http.get("/healthz").json() == {"status": "ok"}
    # Half of this is usual; the machine may be busy.
    assert time.monotonic() - started < 3
    assert acme.end(by) == 0
    assert acme.errors() == ""
    with sqlite3.connect(acme.data) as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()


def test_it_ends_while_a_silent_write_hangs(tmp_path: Path) -> None:
    acme = Acme(tmp_path / "acme.sqlite3")
    report = acme.create()
    acme.fault(timeout_after_write={"hang_s": 60})
    with socket.create_connection(("127.0.0.1", acme.http.base_url.port or 0)) as connection:
        connection.sendall(
            f"POST /approvals/{report['id']}/notes HTTP/1.1\r\nHost: x\r\n"
            'Content-Length: 12\r\n\r\n{"text":"x"}'.encode()
        )
        while not acme.record(report["id"])["notes"]:
            time.sleep(0.02)
        started = time.monotonic()
        assert acme.end(signal.SIGTERM) == 0
        assert time.monotonic() - started < 5


def test_the_first_reports_are_the_same_each_time(acme: Acme, tmp_path: Path) -> None:
    with Acme(tmp_path / "acme.sqlite3", "--public-url", "https://expenses.example/") as other:
        rows = other.everything(limit=100)
        assert other.record("EXP-2025-09-15-001")["url"] == (
            "https://expenses.example/reports/EXP-2025-09-15-001"
        )
    assert len(rows) == 31
    mine = {row["description"]: row["line_items"] for row in acme.everything()}
    assert all(mine[row["description"]] == row["line_items"] for row in rows)


def test_a_new_file_can_start_empty_and_stays_so(tmp_path: Path) -> None:
    with Acme(tmp_path / "acme.sqlite3", "--empty") as acme:
        assert acme.everything() == []
    with Acme(tmp_path / "acme.sqlite3") as acme:
        assert acme.everything() == []


def test_the_api_asks_for_its_token_and_the_pages_do_not(tmp_path: Path) -> None:
    with Acme(tmp_path / "acme.sqlite3", token="sesame-1") as acme:
        bare = httpx2.Client(base_url=acme.url)
        with bare:
            for headers in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": "Basic sesame"},
                {"Authorization": "Bearer"},
            ):
                for path in ("/approvals", "/approvals/EXP-2025-09-15-001", "/faults"):
                    refused = bare.get(path, headers=headers)
                    assert refused.status_code == 401
                    assert refused.headers["WWW-Authenticate"] == "Bearer"
                    assert refused.json()["code"] == "unauthorized"
            for path in ("/", "/reports/EXP-2025-09-15-001", "/healthz"):
                assert bare.get(path).status_code == 200


def test_kill_9_in_the_middle_of_writes_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    data = tmp_path / "acme.sqlite3"
    acme = Acme(data, "--empty")
    answered: list[tuple[str, str]] = []

    def write() -> None:
        client = httpx2.Client(base_url=acme.url)
        with client:
            while True:
                try:
                    report = acme.create()
                    answered.append((report["id"], "pending"))
                    done = client.post(
                        f"/approvals/{report['id']}/decision",
                        json={"decision": "approve"},
                        headers={"Idempotency-Key": report["id"]},
                    )
                    answered.append((done.json()["id"], "approved"))
                except (httpx2.HTTPError, RuntimeError):
                    return

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 10
    while len(answered) < 60 and time.monotonic() < deadline:
        time.sleep(0.01)
    acme.process.kill()
    for writer in writers:
        writer.join()
    acme.end(signal.SIGKILL)
    assert len(answered) >= 60
    told = dict(answered)
    with Acme(data) as again:
        kept = {row["id"]: row for row in again.everything(limit=100)}
        assert set(told) <= set(kept)
        approved = [report_id for report_id, status in told.items() if status == "approved"]
        assert approved
        for report_id in approved:
            assert kept[report_id]["status"] == "approved"
        # What was remembered by key is there too, and new changes come after all old ones.
        replayed = again.decide(approved[0], Idempotency_Key=approved[0])
        assert replayed.status_code == 200
        assert again.create()["updated_at"] > max(row["updated_at"] for row in kept.values())


def test_it_shares_no_code_with_the_product() -> None:
    for path in (DEMO / "acme_expenses").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert not re.match(r"(events|projections|services|placet)\b", name), path
