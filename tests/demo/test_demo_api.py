"""The API of Acme Expenses keeps what its README says."""

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from acme_process import Acme, draft, fields


def test_the_report_of_the_seed_document_is_there_as_drawn(acme: Acme) -> None:
    record = acme.record("EXP-2025-09-15-001")
    drawn = {
        "report_id": "EXP-2025-09-15-001",
        "total_amount": 750.50,
        "currency": "USD",
        "description": "Client dinner and travel for Q3 sales meeting.",
        "submitter": {
            "email_addr": "jane.doe@example.com",
            "full_name": "Jane Doe",
            "record_id": "user_12345",
        },
        "approver": {
            "email_addr": "john.smith@example.com",
            "full_name": "John Smith",
            "record_id": "user_67890",
        },
        "line_items": [
            {
                "item": "Client Dinner at The Grand Restaurant",
                "category": "Meals & Entertainment",
                "amount": 250.00,
            },
            {"item": "Round-trip flight to NYC", "category": "Travel", "amount": 450.50},
            {"item": "Taxi from JFK to Hotel", "category": "Travel", "amount": 50.00},
        ],
    }
    assert {name: record[name] for name in drawn} == drawn
    assert record["id"] == record["report_id"]
    assert record["url"] == f"{acme.url}/reports/EXP-2025-09-15-001"
    assert set(record) == {
        *drawn,
        "id",
        "status",
        "version",
        "created_at",
        "updated_at",
        "decided_by",
        "decided_at",
        "decision_reason",
        "url",
        "notes",
    }


def test_first_reports_are_varied_fresh_and_add_up(acme: Acme) -> None:
    seeds = [row for row in acme.everything() if row["id"].startswith("EXP-")]
    pending = [row for row in seeds if row["status"] == "pending"]
    assert len(seeds) >= 30
    assert len(pending) >= 25
    assert {row["status"] for row in seeds} == {"pending", "approved", "rejected", "cancelled"}
    assert {row["approver"]["email_addr"] for row in pending} == {
        f"{name}@example.com"
        for name in ("john.smith", "maria.garcia", "wei.chen", "amara.okafor", "lena.hoffmann")
    }
    assert {"USD", "EUR", "GBP", "JPY"} <= {row["currency"] for row in seeds}
    assert {1, 8} <= {len(row["line_items"]) for row in seeds} <= set(range(1, 9))
    assert set("&<>'\"é東") <= set("".join(row["description"] for row in seeds))
    month_ago = datetime.now(UTC) - timedelta(days=30)
    for row in seeds:
        assert sum(round(line["amount"] * 100) for line in row["line_items"]) == round(
            row["total_amount"] * 100
        )
        assert month_ago < datetime.fromisoformat(row["created_at"]) < datetime.now(UTC)
        if row["currency"] == "JPY":
            assert row["total_amount"] == int(row["total_amount"])


def test_pages_of_a_list_are_ordered_complete_and_without_repeats(acme: Acme) -> None:
    rows = acme.everything(limit=7)
    keys = [(row["updated_at"], row["id"]) for row in rows]
    assert keys == sorted(set(keys))
    whole = acme.http.get("/approvals", params={"limit": 100}).json()
    assert whole == {"records": rows, "next_cursor": None}
    assert len(acme.http.get("/approvals").json()["records"]) == 20


def test_a_list_is_filtered_by_status_and_by_last_change(acme: Acme) -> None:
    before = acme.create()
    after = acme.create()
    acme.decide(after["id"], "deny")
    rejected = acme.everything(status="rejected")
    assert {row["status"] for row in rejected} == {"rejected"}
    assert after["id"] in {row["id"] for row in rejected}
    # Inclusive: a reader that starts at the last time it saw misses nothing of that instant.
    since = acme.everything(updated_since=before["updated_at"])
    assert [row["id"] for row in since] == [before["id"], after["id"]]
    shifted = datetime.fromisoformat(before["updated_at"]) + timedelta(hours=2)
    elsewhere = shifted.replace(tzinfo=None).isoformat() + "+02:00"
    assert acme.everything(updated_since=elsewhere) == since


def test_a_report_that_changes_while_a_list_is_read_is_seen_again_never_missed(acme: Acme) -> None:
    first = [acme.create() for _ in range(4)]
    since = first[0]["updated_at"]
    page = acme.http.get("/approvals", params={"updated_since": since, "limit": 2}).json()
    acme.http.patch(f"/approvals/{first[0]['id']}", json={"description": "Changed"})
    rest = acme.everything(cursor=page["next_cursor"])
    assert [row["id"] for row in rest] == [first[2]["id"], first[3]["id"], first[0]["id"]]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("status=open", "status"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("cursor=nonsense", "cursor"),
        ("cursor=W10", "cursor"),
        ("updated_since=yesterday", "updated_since"),
        ("updated_since=2025-09-15T08:00:00", "updated_since"),
        ("updated_since=2025-09-15T08:00:00+02:00", "updated_since"),
        ("updated_since=0001-01-01T00:00:00%2B14:00", "updated_since"),
        ("state=pending", "state"),
    ],
)
def test_a_wrong_query_is_refused_by_the_name_of_its_field(
    acme: Acme, query: str, named: str
) -> None:
    assert fields(acme.http.get(f"/approvals?{query}")) == [named]


def test_a_forged_cursor_with_half_a_character_is_refused(acme: Acme) -> None:
    forged = base64.urlsafe_b64encode(b'["2025-09-15T08:30:00Z", "\\ud800"]').decode()
    assert fields(acme.http.get("/approvals", params={"cursor": forged})) == ["cursor"]


def test_an_etag_answers_304_until_content_or_state_changes(acme: Acme) -> None:
    report = acme.create()
    path = f"/approvals/{report['id']}"
    tags = [acme.tag(report["id"])]
    assert not tags[0].startswith("W/")
    for asked in (tags[0], f"W/{tags[0]}", f'"other", {tags[0]}', "*"):
        response = acme.http.get(path, headers={"If-None-Match": asked})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == tags[0]
    acme.http.patch(path, json={"description": "More printer paper"})
    tags.append(acme.tag(report["id"]))
    acme.http.patch(path, json={"description": "Printer paper"})
    tags.append(acme.tag(report["id"]))
    acme.decide(report["id"])
    tags.append(acme.tag(report["id"]))
    assert len(set(tags)) == 4
    assert acme.http.get(path, headers={"If-None-Match": tags[0]}).status_code == 200


def test_a_note_shows_in_the_record_and_changes_neither_tag_nor_version(acme: Acme) -> None:
    report = acme.create()
    tag = acme.tag(report["id"])
    path = f"/approvals/{report['id']}/notes"
    response = acme.http.post(path, json={"text": "Asked John.", "author": "placet"})
    assert response.status_code == 201
    note = response.json()
    assert (note["text"], note["author"]) == ("Asked John.", "placet")
    assert acme.record(report["id"]) == {**report, "notes": [note]}
    assert acme.tag(report["id"]) == tag
    assert acme.decide(report["id"], If_Match=tag).status_code == 200
    assert acme.http.post(path, json={"text": "Told Jane."}).status_code == 201
    assert [row["text"] for row in acme.record(report["id"])["notes"]] == [
        "Asked John.",
        "Told Jane.",
    ]
    assert fields(acme.http.post(path, json={"text": "  "})) == ["text"]


def test_the_same_note_with_the_same_key_is_added_once(acme: Acme) -> None:
    report = acme.create()
    path, key = f"/approvals/{report['id']}/notes", {"Idempotency-Key": f"note-{report['id']}"}
    first = acme.http.post(path, json={"text": "Once"}, headers=key)
    again = acme.http.post(path, json={"text": "Once"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert acme.record(report["id"])["notes"] == [first.json()]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("approve", "approved"),
        ("APPROVED", "approved"),
        ("deny", "rejected"),
        ("Denied", "rejected"),
        ("reject", "rejected"),
        ("rejected", "rejected"),
    ],
)
def test_each_word_for_a_decision_settles_the_report(acme: Acme, word: str, status: str) -> None:
    report = acme.create()
    response = acme.http.post(
        f"/approvals/{report['id']}/decision",
        json={"decision": word, "reason": "Because.", "decided_by": "Wei.Chen@example.com"},
    )
    assert response.status_code == 200
    record = response.json()
    assert record == acme.record(report["id"])
    assert response.headers["ETag"] == acme.tag(report["id"])
    assert record["status"] == status
    assert record["decided_by"] == "wei.chen@example.com"
    assert record["decision_reason"] == "Because."
    assert record["version"] == 2
    assert record["decided_at"] == record["updated_at"] > report["updated_at"]


def test_a_second_answer_reads_who_settled_it_and_how(acme: Acme) -> None:
    report = acme.create()
    tag = acme.tag(report["id"])
    first = acme.http.post(
        f"/approvals/{report['id']}/decision",
        json={"decision": "deny", "decided_by": "john.smith@example.com"},
    ).json()
    for second in (
        acme.decide(report["id"]),
        # Settled is told before changed, so that the reader learns who won.
        acme.decide(report["id"], If_Match=tag),
        acme.http.post(f"/approvals/{report['id']}/cancel"),
        acme.http.patch(f"/approvals/{report['id']}", json={"description": "Late"}),
    ):
        assert second.status_code == 409
        problem = second.json()
        assert problem["code"] == "already_settled"
        assert problem["status"] == "rejected"
        assert problem["decided_by"] == "john.smith@example.com"
        assert problem["decided_at"] == first["decided_at"]
        assert problem["record"] == first
    assert acme.record(report["id"]) == first


def test_an_answer_to_an_earlier_content_is_refused_with_the_current_one(acme: Acme) -> None:
    report = acme.create()
    seen = acme.tag(report["id"])
    acme.http.patch(f"/approvals/{report['id']}", json={"total_amount": 99.99})
    for stale in (seen, f"W/{acme.tag(report['id'])}"):
        response = acme.decide(report["id"], If_Match=stale)
        assert response.status_code == 412
        assert response.json()["code"] == "changed"
        assert response.json()["record"] == acme.record(report["id"])
        assert response.headers["ETag"] == acme.tag(report["id"])
    assert acme.record(report["id"])["status"] == "pending"
    current = f'"other", {acme.tag(report["id"])}'
    assert acme.decide(report["id"], If_Match=current).status_code == 200


def test_the_same_decision_with_the_same_key_gets_the_same_answer(acme: Acme) -> None:
    report = acme.create()
    headers = {
        "Idempotency_Key": f"decision-{report['id']}",
        "If_Match": acme.tag(report["id"]),
    }
    first = acme.decide(report["id"], **headers)
    acme.http.post(f"/approvals/{report['id']}/notes", json={"text": "In between"})
    again = acme.decide(report["id"], **headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert again.headers["ETag"] == first.headers["ETag"]
    other = acme.decide(report["id"], "deny", **headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"
    elsewhere = acme.decide(acme.create()["id"], **headers)
    assert elsewhere.json()["code"] == "idempotency_key_reused"


def test_a_refused_decision_may_be_sent_again_with_its_key(acme: Acme) -> None:
    report = acme.create()
    key = f"again-{report['id']}"
    assert acme.decide(report["id"], If_Match='"0-0"', Idempotency_Key=key).status_code == 412
    tag = acme.tag(report["id"])
    assert acme.decide(report["id"], If_Match=tag, Idempotency_Key=key).status_code == 200


def test_one_of_many_answers_at_once_wins(acme: Acme) -> None:
    report = acme.create()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: acme.decide(report["id"], ("approve", "deny")[n % 2]), range(16))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    assert acme.record(report["id"]) == won
    assert won["version"] == 2


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, ["decision"]),
        ({"decision": None}, ["decision"]),
        ({"decision": "maybe"}, ["decision"]),
        ({"decision": 1}, ["decision"]),
        ({"decision": "approve", "decided_by": "John"}, ["decided_by"]),
        ({"decision": "approve", "reason": 5}, ["reason"]),
        ({"decision": "approve", "reason": "x" * 2001}, ["reason"]),
        ({"decision": "approve", "force": True, "why": ""}, ["force", "why"]),
        ([], ["body", "decision"]),
    ],
)
def test_a_bad_decision_is_refused_by_the_names_of_its_fields(
    acme: Acme, body: Any, named: list[str]
) -> None:
    report = acme.create()
    response = acme.http.post(f"/approvals/{report['id']}/decision", json=body)
    assert fields(response) == named
    assert acme.record(report["id"]) == report


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"decision": "approve", "decision": "deny"}',
        b'{"decision": NaN}',
        b'{"decision": 1e99999999999999999999}',
        b'{"decision": ' + b"9" * 5000 + b"}",
    ],
    ids=["cut", "bytes", "deep", "twice", "nan", "exponent", "digits"],
)
def test_what_is_no_json_is_refused(acme: Acme, body: bytes) -> None:
    response = acme.http.post("/approvals/EXP-2025-09-15-001/decision", content=body)
    assert fields(response) == ["body"]


def test_a_created_report_is_pending_and_exact_to_the_cent(acme: Acme) -> None:
    response = acme.http.post("/approvals", json=draft(total_amount=12.34))
    record = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"{acme.url}/approvals/{record['id']}"
    assert response.headers["ETag"] == acme.tag(record["id"])
    assert record["total_amount"] == 12.34
    assert (record["status"], record["version"]) == ("pending", 1)
    assert record["approver"]["full_name"] == "John Smith"
    assert record["created_at"] == record["updated_at"]
    lines = [{"item": str(n), "category": "Other", "amount": 0.1} for n in range(3)]
    text = acme.http.post("/approvals", json=draft(line_items=lines)).text
    assert '"total_amount":0.3,' in text
    big = [{"item": "Plant", "category": "Equipment", "amount": 9_999_999_999.99}]
    assert acme.create(line_items=big)["total_amount"] == 9_999_999_999.99


def test_reports_without_an_id_are_numbered_by_the_day(acme: Acme) -> None:
    first, second = acme.create(report_id=None), acme.create(report_id=None)
    day, _, number = first["id"].rpartition("-")
    assert day == f"EXP-{first['created_at'][:10]}"
    assert second["id"] == f"{day}-{int(number) + 1:03d}"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"currency": "XXX"}, "currency"),
        ({"currency": None}, "currency"),
        ({"description": "\x00"}, "description"),
        ({"description": "\ud800"}, "description"),
        ({"description": "x" * 2001}, "description"),
        ({"report_id": "../x"}, "report_id"),
        ({"total_amount": 12.35}, "total_amount"),
        ({"approver": "john"}, "approver"),
        ({"approver": {"email_addr": "john"}}, "approver.email_addr"),
        ({"approver": {"email_addr": "a@example.com", "phone": "1"}}, "approver.phone"),
        ({"line_items": []}, "line_items"),
        ({"line_items": ["x"]}, "line_items[0]"),
        ({"line_items": [{"item": "x", "category": "y", "amount": 0}]}, "line_items"),
        (
            {"line_items": [{"item": "x", "category": "y", "amount": 1.005}]},
            "line_items[0].amount",
        ),
        (
            {"line_items": [{"item": "x", "category": "y", "amount": "1"}]},
            "line_items[0].amount",
        ),
        (
            {"line_items": [{"item": "x", "category": "y", "amount": 1e300}]},
            "line_items[0].amount",
        ),
        (
            {"currency": "JPY", "line_items": [{"item": "x", "category": "y", "amount": 1.5}]},
            "line_items[0].amount",
        ),
        ({"status": "approved"}, "status"),
    ],
)
def test_a_bad_report_is_refused_by_the_name_of_its_field(
    acme: Acme, changes: dict[str, Any], named: str
) -> None:
    # ensure_ascii, because half a surrogate pair travels only as an escape.
    response = acme.http.post("/approvals", content=json.dumps(draft(**changes)))
    assert fields(response) == [named]


def test_an_id_that_is_taken_is_refused(acme: Acme) -> None:
    report = acme.create()
    response = acme.http.post("/approvals", json=draft(report_id=report["id"]))
    assert (response.status_code, response.json()["code"]) == (409, "report_id_taken")


def test_an_edit_changes_a_pending_report_and_its_version(acme: Acme) -> None:
    report = acme.create()
    path = f"/approvals/{report['id']}"
    lines = [{"item": "Toner", "category": "Office Supplies", "amount": 80.5}]
    edited = acme.http.patch(
        path,
        json={"description": "Toner", "line_items": lines, "approver": {"email_addr": "x@y.z"}},
    ).json()
    assert edited["description"] == "Toner"
    assert edited["line_items"] == lines
    assert edited["total_amount"] == 80.5
    assert edited["approver"]["email_addr"] == "x@y.z"
    assert edited["version"] == 2
    assert edited["updated_at"] > report["updated_at"]
    assert edited["created_at"] == report["created_at"]
    adjusted = acme.http.patch(path, json={"total_amount": 75}).json()
    assert adjusted["total_amount"] == 75
    assert [line["amount"] for line in adjusted["line_items"]] == [80.5, -5.5]
    same = acme.http.patch(path, json={"total_amount": 75}).json()
    assert same == adjusted
    stale = acme.http.patch(path, json={"total_amount": 1}, headers={"If-Match": '"1-0"'})
    assert stale.status_code == 412
    assert fields(acme.http.patch(path, json={"currency": "EUR"})) == ["currency"]
    assert fields(acme.http.patch(path, json={"total_amount": -1})) == ["total_amount"]
    assert fields(acme.http.patch(path, json={"total_amount": 1, "line_items": lines})) == [
        "total_amount"
    ]


def test_a_cancelled_report_says_by_whom(acme: Acme) -> None:
    report = acme.create()
    response = acme.http.post(
        f"/approvals/{report['id']}/cancel",
        json={"reason": "Twice", "cancelled_by": "jane.doe@example.com"},
    )
    assert response.status_code == 200
    record = response.json()
    assert record["status"] == "cancelled"
    assert (record["decided_by"], record["decision_reason"]) == ("jane.doe@example.com", "Twice")
    assert acme.decide(report["id"]).json()["status"] == "cancelled"


def test_every_change_is_later_than_all_before_it(acme: Acme) -> None:
    with ThreadPoolExecutor(4) as pool:
        created = list(pool.map(lambda _: acme.create(), range(20)))
    times = [row["updated_at"] for row in created]
    assert len(set(times)) == 20
    assert all(len(moment) == len("2025-09-15T08:30:00.000000Z") for moment in times)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/approvals/none", 404, "not_found"),
        ("GET", "/approvals/a%00b", 404, "not_found"),
        ("POST", "/approvals/none/notes", 404, "not_found"),
        ("POST", "/approvals/none/decision", 404, "not_found"),
        ("PATCH", "/approvals/none", 404, "not_found"),
        ("DELETE", "/approvals/none", 405, "method_not_allowed"),
        ("GET", "/approvals/none/decision", 405, "method_not_allowed"),
        ("GET", "/approvals/none/other", 404, "not_found"),
    ],
)
def test_wrong_addresses_answer_with_a_problem_document(
    acme: Acme, method: str, path: str, status: int, code: str
) -> None:
    body = {"decision": "approve"} if path.endswith("decision") else {"text": "x"}
    content = None if method in {"GET", "DELETE"} else json.dumps(body)
    if method == "PATCH":
        content = "{}"
    response = acme.http.request(method, path, content=content)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    if status == 405:
        assert response.headers["Allow"]


def test_a_body_over_the_limit_is_refused_announced_or_not(acme: Acme) -> None:
    path = "/approvals/EXP-2025-09-15-001/notes"
    fits = json.dumps({"text": "x"}).encode().ljust(256 * 1024)
    assert acme.http.post(path, content=fits).status_code == 201
    for content in (fits + b" ", iter([fits, b" " * 100_000])):
        response = acme.http.post(path, content=content)
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert acme.http.post("/reports", content=fits + b" ").status_code == 413


def test_another_content_type_is_refused(acme: Acme) -> None:
    response = acme.http.post(
        "/approvals/EXP-2025-09-15-001/notes",
        content=b'{"text": "x"}',
        headers={"Content-Type": "text/plain"},
    )
    assert (response.status_code, response.json()["code"]) == (415, "not_json")


def test_a_wrong_key_for_a_request_is_refused(acme: Acme) -> None:
    for key in ("two words", "x" * 256, ""):
        headers = {"Idempotency-Key": key}
        assert fields(acme.http.post("/approvals", json=draft(), headers=headers)) == [
            "Idempotency-Key"
        ]


def test_a_list_stays_quick_to_read(acme: Acme) -> None:
    started = time.monotonic()
    acme.everything(limit=100)
    # No benchmark: only that nothing waits for a lock or a time-out.
    assert time.monotonic() - started < 2
