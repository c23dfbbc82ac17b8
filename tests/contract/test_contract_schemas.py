"""The published schemas are what the code writes and reads, and stay so."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st
from jsonschema import (  # type: ignore[import-untyped]  # it ships no types
    Draft202012Validator,
    FormatChecker,
)

from events.approval import ApprovalEvent, Reminders, Rung, Seat, WorkingHours
from events.codec import (
    EVENT_TYPES,
    SCHEMA_VERSIONS,
    UPCASTERS,
    WIRE_NAMES,
    Unreadable,
    decode,
    encode,
)
from events.envelope import Recorded
from events.observation import decode_observation, encode_observation
from events.public import public_fact
from events.state import Decided, Deciding, fold
from scripts import schemas as script
from services.decision.request_body import approval_decoder
from tests.contract.compatibility import breaks
from tests.contract.test_contract_messages import SEEN, stored
from tests.core.examples import (
    ANN,
    BOB,
    EDITABLE,
    MIRRORED,
    NOW,
    OTHER_PAYLOAD,
    OWN,
    RITA,
    acknowledge,
    acknowledged,
    answer,
    ask,
    card,
    comment,
    commented,
    decided,
    edit,
    expired,
    fail,
    failed,
    minutes,
    no_card,
    not_notified,
    notified,
    requested,
    revised,
    submitted,
    undo,
    undone,
    withdrawn,
)
from tests.core.making import PATIENT, any_fact, lives, payloads
from tests.core.steps import (
    CARL,
    DORA,
    answer_back,
    answered_back,
    ask_back,
    asked,
    asked_back,
    escalate,
    escalated,
    is_away,
    policy,
    reassigned,
    reminded,
    sits,
    step,
    taken_over,
)
from tests.specification import given

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(script.schemas())


formats = FormatChecker(())


@formats.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]  # as above
def is_a_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def validator(path: str) -> Draft202012Validator:
    schema = json.loads((script.FOLDER / path).read_text("utf-8"))
    return Draft202012Validator(schema, format_checker=formats)


def wrong(path: str, body: bytes) -> list[str]:
    return [error.message for error in validator(path).iter_errors(json.loads(body))]


def of_fact(name: str) -> str:
    return f"{name}.v{SCHEMA_VERSIONS[name]}.json"


def test_what_is_published_is_what_the_code_says() -> None:
    assert list(script.differences()) == []


@pytest.mark.parametrize("path", FILES)
def test_every_published_schema_is_one(path: str) -> None:
    schema = json.loads((script.FOLDER / path).read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == script.DIALECT
    assert schema["$id"].startswith("urn:placet:")
    assert all(definition["description"] for definition in schema["$defs"].values())


def test_every_schema_has_a_name_of_its_own() -> None:
    assert len({schema["$id"] for schema in script.schemas().values()}) == len(FILES)


def test_the_check_sees_what_is_missing_changed_and_left_over(tmp_path: Path) -> None:
    script.write(tmp_path)
    assert list(script.differences(tmp_path)) == []
    (tmp_path / "approval.expired.v1.json").unlink()
    (tmp_path / "approval.decided.v1.json").write_text("{}\n", "utf-8")
    (tmp_path / "approval.forgotten.v1.json").write_text("{}\n", "utf-8")
    (tmp_path / "approval.commented.v0.json").write_text("{}\n", "utf-8")  # of the past: stays
    assert sorted(script.differences(tmp_path)) == [
        "approval.decided.v1.json differs from the code",
        "approval.expired.v1.json is missing",
        "approval.forgotten.v1.json stands for nothing that is written",
    ]


def test_the_command_writes_and_checks_and_refuses_other_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert script.main(["--check"]) == 0
    assert script.main(["--force"]) == 2
    assert "usage" in capsys.readouterr().out


def committed() -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas of the last commit; those in the tree where there is no git."""
    listed = _git("ls-tree", "-r", "--name-only", "HEAD", "events/schemas")
    if listed is None:
        for path in FILES:
            yield path, json.loads((script.FOLDER / path).read_text("utf-8"))
        return
    for path in listed.split():
        text = _git("show", f"HEAD:{path}")
        assert text is not None
        yield path.removeprefix("events/schemas/"), json.loads(text)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607 # whichever git is there
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def test_within_a_version_schemas_were_only_added_to_since_the_last_commit() -> None:
    now = script.schemas()
    for path, old in committed():
        if path in now:
            assert breaks(old, dict(now[path])) == [], path
        else:
            assert (script.FOLDER / path).is_file(), f"{path}: what was stored stays published"


@PATIENT
@drawn(any_fact())
def test_every_fact_that_can_be_written_fits_its_schema(fact: ApprovalEvent) -> None:
    name, _, data = encode(fact)
    assert wrong(of_fact(name), data) == []


@PATIENT
@drawn(lives(payloads))
def test_everything_that_the_core_produces_fits_its_schema(facts: list[ApprovalEvent]) -> None:
    for fact in facts:
        name, _, data = encode(fact)
        assert wrong(of_fact(name), data) == []


@PATIENT
@drawn(any_fact(), st.integers(1, 10**6))
def test_every_public_fact_fits_its_schema_and_says_no_more_and_no_less(
    fact: ApprovalEvent, version: int
) -> None:
    recorded: Recorded = stored(fact, version=version)
    body = public_fact(recorded)
    kind = script.PUBLIC_FACTS.get(recorded.type)
    assert (body is None) == (kind is None)
    if body is not None and kind is not None:
        assert wrong(f"public/{of_fact(recorded.type)}", body) == []
        assert msgspec.json.decode(body).keys() == kind.__annotations__.keys()


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_schema_refuses_what_is_none(name: str) -> None:
    path = of_fact(name)
    assert wrong(path, b"[]")
    assert wrong(path, b"{}")
    good = json.loads(encode(next(iter(_examples(name).values())))[2])
    assert wrong(path, json.dumps({**good, "added": "later"}).encode()) == []
    assert wrong(path, json.dumps({**good, "at": 7}).encode())
    assert wrong(path, json.dumps({**good, "at": "yesterday"}).encode())
    assert wrong(path, json.dumps({**good, "at": "2026-11-21T12:00:00"}).encode())
    for field in good:
        if field not in ("payload", "metadata"):
            assert wrong(path, json.dumps({**good, field: {"not": field}}).encode())


def test_an_observation_that_is_readable_fits_its_schema_and_the_other_way_round() -> None:
    path = "approval.observed.v1.json"
    good = json.loads(encode_observation(SEEN))
    settled = {**good, "state": "settled", "content": None, "outcome": "approved"}
    without = {name: value for name, value in good.items() if name != "content"}
    candidates: list[tuple[dict[str, Any], bool]] = [
        (good, True),
        (settled, True),
        ({**without, "state": "gone"}, True),
        ({**good, "later": 1}, True),
        (without, False),
        ({**good, "content": None}, False),
        ({**good, "state": "unsure"}, False),
        ({**good, "revision": 7}, False),
        ({**good, "content": {**good["content"], "approvers": "ann@example.com"}}, False),
    ]
    for body, readable in candidates:
        data = json.dumps(body).encode()
        assert (wrong(path, data) == []) == readable, body
        if readable:
            decode_observation(data)
        else:
            with pytest.raises(Unreadable):
                decode_observation(data)


def test_a_request_that_is_taken_fits_its_schema_and_the_other_way_round() -> None:
    path = "approval.requests.v1.json"
    good: dict[str, Any] = {
        "type": "expense",
        "title": "Oslo",
        "approvers": ["ann@example.com", {"email": "bob@example.com", "name": "Bob"}],
        "requester": "rita@example.com",
    }
    whole = {
        **good,
        "payload": {"amount": 120},
        "requester": {"email": "rita@example.com"},
        "urgency": "high",
        "expires_in": 3600,
        "callback_url": "https://example.com/told",
        "links": [{"kind": "issue", "id": "7"}],
        "metadata": {"team": "north"},
    }
    candidates: list[tuple[dict[str, Any], bool]] = [
        (good, True),
        (whole, True),
        ({**good, "aprovers": []}, False),
        ({**good, "approvers": []}, True),  # then the type, or placet.yaml, says who
        ({**good, "approvers": [""]}, True),  # an address is checked after its shape
        ({**good, "approvers": [7]}, False),
        ({**good, "title": ""}, False),
        ({**good, "urgency": "urgent"}, False),
        ({**good, "expires_in": 0}, False),
        ({**good, "callback_url": "ftp://example.com"}, False),
        ({**good, "payload": []}, False),
    ]
    for body, taken in candidates:
        data = json.dumps(body).encode()
        assert (wrong(path, data) == []) == taken, body
        if taken:
            approval_decoder.decode(data)
        else:
            with pytest.raises(msgspec.ValidationError):
                approval_decoder.decode(data)
    nobody = {name: value for name, value in good.items() if name != "requester"}
    for asked_by_nobody in (nobody, {**good, "requester": None}):
        assert wrong(path, json.dumps(asked_by_nobody).encode())


WHOLE_POLICY = policy(
    step(sits(ANN, held_by=DORA), name="manager"),
    step(
        Seat(person=BOB, groups=("finance",), time_zone="Europe/Oslo", since=NOW),
        sits(CARL, "legal"),
        rule="each",
        groups=("finance", "legal"),
        deny=2,
        name="board",
    ),
    because="payload.amount > 100",
    self_approval=True,
    reminders=Reminders(after_s=86400.0, every_s=3600.0, most=3),
    ladder=(Rung(after_s=172800.0, to=("role:cfo", "approver.manager")),),
    hours=WorkingHours(
        time_zone="Europe/Oslo",
        days=(0, 1, 2, 3, 4),
        opens=540,
        closes=1020,
        holidays=(date(2026, 12, 25),),
    ),
    fallback_policy="board",
    warnings=("group:legal has nobody",),
)
"""With everything that a policy can say."""


@cache
def _examples(name: str) -> Mapping[str, ApprovalEvent]:
    """What stands in the golden files of a type: which test file it is called by → the fact."""
    change = ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2")
    found: dict[str, ApprovalEvent] = {
        "approval.requested.v1.own": OWN,
        "approval.requested.v1.mirrored": MIRRORED,
        "approval.notified.v1": notified(card()),
        "approval.notification_failed.v1": not_notified(no_card()),
        "approval.revised.v1": replace(revised(change), on_timeout=None),
        "approval.revised.v1.by_requester": revised(
            replace(change, policy=WHOLE_POLICY, on_timeout="reject"), by=RITA
        ),
        "approval.requested.v1.policy": requested(
            asked(WHOLE_POLICY, on_timeout="fallback"),
        ),
        "approval.decision_submitted.v1.vote": submitted(
            answer(by=DORA), complete=False, on_behalf_of=ANN
        ),
        "approval.reminded.v1": reminded(ANN, 2),
        "approval.reminded.v1.by_clock": reminded(BOB, by=None),
        "approval.reassigned.v1": reassigned(is_away()),
        "approval.escalated.v1": escalated(escalate(CARL), sits(CARL, "legal")),
        "approval.escalated.v1.taken_over": taken_over(WHOLE_POLICY, on_timeout="approve"),
        "approval.asked_back.v1": asked_back(ask_back(wants="changes")),
        "approval.answered_back.v1": answered_back(answer_back()),
        "approval.commented.v1": commented(comment(text='NUL \0, é, 👩, \u2028 and \\ "q"')),
        "approval.decision_submitted.v1": submitted(answer()),
        "approval.decision_submitted.v1.bare": submitted(answer("rejected", reason=None)),
        "approval.decision_submitted.v1.held": submitted(
            answer(assurance="session", shown="5d", held_until=minutes(1))
        ),
        "approval.decision_undone.v1": undone(undo()),
        "approval.requested.v1.assured": requested(
            asked(replace(WHOLE_POLICY, assurance="step_up"))
        ),
        "approval.write_back_failed.v1": failed(answer(), fail()),
        "approval.decided.v1": decided(answer(), MIRRORED, now=NOW),
        "approval.withdrawn.v1": withdrawn(
            MIRRORED, "settled", "Approved.", by="boss@example.com", outcome="approved"
        ),
        "approval.withdrawn.v1.bare": withdrawn(OWN, "gone", "Gone."),
        "approval.expired.v1": expired(OWN),
        "approval.acknowledged.v1": acknowledged(acknowledge()),
        "approval.acknowledged.v1.effective": acknowledged(acknowledge(effective=edit())),
        "approval.requested.v1.typed": requested(
            ask(
                editable=True,
                supersede_on_comment=True,
                on_timeout="reject",
                type_version=2,
                callback_url="https://agent.example/cb",
                callback_dialect="operator",
            )
        ),
        "approval.decision_submitted.v1.edited": submitted(answer(edited=edit())),
        "approval.decided.v1.edited": decided(answer(edited=edit()), EDITABLE),
        "approval.withdrawn.v1.superseded": withdrawn(
            OWN, "superseded", "Superseded by revision 2.", by=RITA.email, superseded_by="A-2"
        ),
    }
    return {file: fact for file, fact in found.items() if WIRE_NAMES[type(fact)] == name}


GOLDEN_FILES = [file for name in EVENT_TYPES for file in _examples(name)]


@pytest.mark.parametrize("file", GOLDEN_FILES)
def test_what_was_stored_is_read_for_ever(file: str) -> None:
    name, _, rest = file.partition(".v")
    version = int(rest.partition(".")[0])
    data = (GOLDEN / f"{file}.json").read_bytes().removesuffix(b"\n")
    fact = decode(name, version, data)
    assert fact == _examples(name)[file]
    if version == SCHEMA_VERSIONS[name]:
        assert encode(fact) == (name, version, data)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*.json")), ids=str)
def test_what_an_earlier_release_stored_is_read_with_what_it_did_not_know_left_out(
    path: Path,
) -> None:
    """Fields were added within a version since: `golden/` holds what is written today."""
    name, _, rest = path.stem.partition(".v")
    data = path.read_bytes().removesuffix(b"\n")
    fact = decode(name, int(rest.partition(".")[0]), data)
    assert fact == _examples(name)[path.stem]


@pytest.mark.parametrize("release", sorted(GOLDEN.glob("*/")), ids=str)
def test_what_an_earlier_release_asked_for_is_decided_by_one_answer_as_it_was_then(
    release: Path,
) -> None:
    def stored_then(file: str) -> ApprovalEvent:
        data = (release / f"{file}.json").read_bytes()
        return decode(file.partition(".v")[0], 1, data)

    own, mirrored = (
        stored_then("approval.requested.v1.own"),
        stored_then("approval.requested.v1.mirrored"),
    )
    given(own).when(answer()).then(submitted(answer()), decided(answer(), OWN))
    story = given(mirrored, stored_then("approval.revised.v1")).when(answer(by=BOB))
    story = story.then(submitted(answer(by=BOB), revision="2"))
    answered = stored_then("approval.decision_submitted.v1")
    assert isinstance(fold((mirrored, answered)), Deciding)
    ended = fold((mirrored, answered, stored_then("approval.decided.v1")))
    assert isinstance(ended, Decided)
    assert [vote.by for vote in ended.votes] == [ANN]


def test_every_version_of_every_event_has_a_stored_body() -> None:
    there = {path.name.removesuffix(".json") for path in GOLDEN.glob("*.json")}
    assert there == set(GOLDEN_FILES)
    for name, current in SCHEMA_VERSIONS.items():
        for version in range(1, current + 1):
            assert any(file.startswith(f"{name}.v{version}") for file in there), (name, version)


def test_every_older_version_has_a_way_to_the_next() -> None:
    wanted = {
        (name, version)
        for name, current in SCHEMA_VERSIONS.items()
        for version in range(1, current)
    }
    assert set(UPCASTERS) == wanted


def test_an_older_version_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none yet, so the way is shown with two made-up ones."""
    monkeypatch.setattr("events.codec.SCHEMA_VERSIONS", {**SCHEMA_VERSIONS, "approval.expired": 3})
    monkeypatch.setattr(
        "events.codec.UPCASTERS",
        {
            ("approval.expired", 1): lambda old: {"second": old["first"]},
            ("approval.expired", 2): lambda old: {"about": old["second"], "at": NOW.isoformat()},
        },
    )
    about = json.loads(encode(expired(OWN))[2])["about"]
    read = decode("approval.expired", 1, json.dumps({"first": about}).encode())
    assert read == expired(OWN, NOW)
    with pytest.raises(Unreadable, match="version 2"):
        decode("approval.expired", 2, b'{"first": 1}')
