"""Faults of Acme Expenses strike when, where and as often as they are told."""

import socket
import time
from typing import Any

import httpx2
import pytest
from acme_process import Acme, draft, fields

SEED = "/approvals/EXP-2025-09-15-001"


def statuses(acme: Acme, path: str, times: int) -> list[int]:
    return [acme.http.get(path).status_code for _ in range(times)]


def test_no_fault_is_on_at_first_and_a_reset_switches_all_off(acme: Acme) -> None:
    nothing = acme.http.get("/faults").json()
    assert set(nothing) == {
        "latency_ms",
        "rate_limit",
        "error_500",
        "timeout_after_write",
        "late_rows",
        "duplicates",
        "malformed_rows",
    }
    assert set(nothing.values()) == {None}
    acme.fault(error_500=True, duplicates=True)
    assert acme.http.get(SEED).status_code == 500
    shown = acme.http.get("/faults").json()
    assert shown["error_500"]
    assert shown["duplicates"]
    assert acme.http.get("/faults/struck").json()["error_500"] == 1
    assert acme.http.delete("/faults").json() == nothing
    assert acme.http.get(SEED).status_code == 200
    assert acme.http.get("/faults/struck").json()["error_500"] == 0


def test_what_is_shown_can_be_sent_back(acme: Acme) -> None:
    acme.fault(rate_limit={"times": 3, "only": ["get"]}, latency_ms=5, malformed_rows=True)
    shown = acme.http.get("/faults").json()
    assert acme.http.put("/faults", json=shown).json() == shown


def test_a_fault_strikes_so_many_times_and_then_ends(acme: Acme) -> None:
    acme.fault(error_500={"times": 3})
    assert statuses(acme, SEED, 5) == [500, 500, 500, 200, 200]
    assert acme.http.get("/faults").json()["error_500"] is None


def test_a_rate_limit_strikes_every_nth_request_and_says_when_to_come_back(acme: Acme) -> None:
    acme.fault(rate_limit={"every_n": 3, "retry_after_s": 7})
    answers = [acme.http.get(SEED) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 200, 429]
    assert answers[2].headers["Retry-After"] == "7"
    assert answers[2].headers["content-type"] == "application/problem+json"


def test_chance_strikes_some_requests(acme: Acme) -> None:
    acme.fault(error_500=0.5)
    # 1 in 2^59 that all sixty fare alike.
    assert set(statuses(acme, SEED, 60)) == {200, 500}
    acme.fault(error_500=0)
    assert set(statuses(acme, SEED, 5)) == {200}


def test_a_fault_spares_what_it_is_not_for(acme: Acme) -> None:
    acme.fault(error_500={"only": ["decide"]})
    report = acme.create()
    assert acme.decide(report["id"]).status_code == 500
    assert acme.record(report["id"])["status"] == "pending"
    # Pages and the switch itself are never struck.
    acme.fault(error_500=True)
    assert acme.http.get("/").status_code == 200
    assert acme.http.get("/healthz").status_code == 200


def test_latency_delays_each_answer(acme: Acme) -> None:
    acme.fault(latency_ms={"ms": 150, "times": 1})
    started = time.monotonic()
    acme.http.get(SEED)
    assert time.monotonic() - started >= 0.15
    assert acme.http.get("/faults").json()["latency_ms"] is None


@pytest.mark.parametrize("what", ["decision", "note"])
def test_a_silent_write_takes_effect_and_its_answer_comes_with_the_key(
    acme: Acme, what: str
) -> None:
    report = acme.create()
    body: dict[str, Any]
    path, body = (
        (f"/approvals/{report['id']}/decision", {"decision": "approve"})
        if what == "decision"
        else (f"/approvals/{report['id']}/notes", {"text": "Once"})
    )
    key = {"Idempotency-Key": f"silent-{report['id']}"}
    acme.fault(timeout_after_write={"hang_s": 0.3, "times": 1})
    started = time.monotonic()
    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        acme.http.post(path, json=body, headers=key)
    assert time.monotonic() - started >= 0.3
    after = acme.record(report["id"])
    assert (after["status"] == "approved") is (what == "decision")
    assert len(after["notes"]) == (what == "note")
    again = acme.http.post(path, json=body, headers=key)
    assert again.status_code == 200
    assert acme.record(report["id"]) == after


def test_a_silent_write_sends_not_one_byte(acme: Acme) -> None:
    report = acme.create()
    acme.fault(timeout_after_write={"hang_s": 0.1})
    content = b'{"decision": "deny"}'
    head = (
        f"POST /approvals/{report['id']}/decision HTTP/1.1\r\nHost: x\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", acme.http.base_url.port or 0)) as connection:
        connection.settimeout(5)
        connection.sendall(head.encode() + content)
        assert connection.recv(100) == b""
    # A refused write had no effect, so it is answered.
    assert acme.decide(report["id"]).status_code == 409


def test_a_client_that_gives_up_first_does_no_harm(acme: Acme) -> None:
    report = acme.create()
    acme.fault(timeout_after_write={"hang_s": 60, "times": 1})
    with pytest.raises(httpx2.ReadTimeout):
        acme.http.post(
            f"/approvals/{report['id']}/decision", json={"decision": "approve"}, timeout=0.2
        )
    assert acme.record(report["id"])["status"] == "approved"


def test_a_late_row_reaches_lists_late_with_its_old_times(acme: Acme) -> None:
    acme.fault(late_rows={"after_s": 0.4, "times": 1})
    late = acme.create()
    prompt = acme.create()
    since = late["updated_at"]
    assert acme.record(late["id"]) == late
    assert [row["id"] for row in acme.everything(updated_since=since)] == [prompt["id"]]
    deadline = time.monotonic() + 5
    while len(seen := acme.everything(updated_since=since)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert seen == [late, prompt]


def test_duplicates_repeat_rows_of_a_list(acme: Acme) -> None:
    acme.fault(duplicates={"times": 1})
    rows = acme.http.get("/approvals", params={"limit": 5}).json()["records"]
    ids = [row["id"] for row in rows]
    assert len(ids) == 8
    assert ids[5:] == [ids[0], ids[2], ids[4]]
    assert len(acme.http.get("/approvals", params={"limit": 5}).json()["records"]) == 5


def test_malformed_rows_stand_before_the_good_ones(acme: Acme) -> None:
    good = acme.http.get("/approvals", params={"limit": 2}).json()["records"]
    acme.fault(malformed_rows={"times": 1})
    rows = acme.http.get("/approvals", params={"limit": 2}).json()["records"]
    assert rows[4:] == good
    assert "approver" not in rows[0]
    assert rows[1]["total_amount"] == "seven hundred"
    assert not {"id", "report_id"} & set(rows[2])
    assert rows[3] is None
    acme.fault(malformed_rows={"kinds": ["null_row"]})
    assert acme.http.get("/approvals", params={"limit": 2}).json()["records"] == [None, *good]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"rate_limits": {}}, "rate_limits"),
        ({"rate_limit": {"per": 3}}, "rate_limit.per"),
        ({"rate_limit": {"every_n": 0}}, "rate_limit.every_n"),
        ({"rate_limit": {"every_n": 2, "probability": 0.5}}, "rate_limit.every_n"),
        ({"rate_limit": {"retry_after_s": 1.5}}, "rate_limit.retry_after_s"),
        ({"rate_limit": {"retry_after_s": 3601}}, "rate_limit.retry_after_s"),
        ({"rate_limit": {"times": 0}}, "rate_limit.times"),
        ({"rate_limit": {"times": True}}, "rate_limit.times"),
        ({"rate_limit": 3}, "rate_limit"),
        ({"error_500": 1.1}, "error_500.probability"),
        ({"error_500": {"only": ["everything"]}}, "error_500.only"),
        ({"latency_ms": 30_001}, "latency_ms.ms"),
        ({"latency_ms": "slow"}, "latency_ms"),
        ({"timeout_after_write": {"hang_s": 61}}, "timeout_after_write.hang_s"),
        ({"timeout_after_write": {"only": ["list"]}}, "timeout_after_write.only"),
        ({"late_rows": {"after_s": -1}}, "late_rows.after_s"),
        ({"malformed_rows": {"kinds": ["odd"]}}, "malformed_rows.kinds"),
        ({"malformed_rows": {"kinds": []}}, "malformed_rows.kinds"),
    ],
)
def test_wrong_faults_are_refused_by_name_and_change_none(
    acme: Acme, body: dict[str, Any], named: str
) -> None:
    acme.fault(duplicates=True)
    before = acme.http.get("/faults").json()
    assert fields(acme.http.put("/faults", json=body)) == [named]
    assert acme.http.get("/faults").json() == before


def test_a_replayed_creation_is_not_late_twice(acme: Acme) -> None:
    acme.fault(late_rows={"after_s": 0})
    body = draft()
    key = {"Idempotency-Key": f"late-{body['report_id']}"}
    assert acme.http.post("/approvals", json=body, headers=key).status_code == 201
    assert acme.http.post("/approvals", json=body, headers=key).status_code == 200
    assert acme.http.get("/faults/struck").json()["late_rows"] == 1
