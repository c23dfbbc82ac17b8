"""The demo's source file against the demo itself, running as a process of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest

from services.sources import (
    AlreadySettled,
    Answer,
    RecordChanged,
    SourceRefused,
    SourceUnavailable,
)
from services.sources.budget import Allowance, Budget, MemoryBucket
from services.sources.definition import SourceDefinition
from services.sources.http import HttpSource
from services.sources.loading import load_source
from services.sources.trial import try_source
from tests.demo.acme_process import Acme

FILE = Path(__file__).resolve().parents[2] / "deploy" / "demo" / "acme-expenses.yaml"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    with Acme(tmp_path_factory.mktemp("acme") / "acme.sqlite3", "--empty") as running:
        yield running


@pytest.fixture
def acme(program: Acme) -> Iterator[Acme]:
    yield program
    program.http.delete("/faults")


@pytest.fixture
def definition(acme: Acme) -> SourceDefinition:
    return load_source(FILE, "w1", {"ACME_EXPENSES_URL": acme.url})


@pytest.fixture
async def source(definition: SourceDefinition) -> AsyncIterator[HttpSource]:
    async with httpx2.AsyncClient() as client:
        budget = Budget(MemoryBucket(), Allowance(limit=1000, per=1), 8)
        yield HttpSource(definition, client, budget)


async def answer_for(source: HttpSource, record_id: str, **changes: str | None) -> Answer:
    reading = await source.read(record_id)
    given: dict[str, str | None] = {
        "precondition": reading.precondition,
        "idempotency_key": f"key-{record_id}",
        "outcome": "approved",
        "reason": None,
        **changes,
    }
    return Answer(
        record_id=record_id,
        approval_id="a1",
        by_email="john.smith@example.com",
        by_name="John Smith",
        **given,  # type: ignore[arg-type]
    )


async def test_the_demo_file_passes_its_trial(acme: Acme, definition: SourceDefinition) -> None:
    acme.create()
    async with httpx2.AsyncClient() as client:
        report = await try_source(definition, client)
    assert report.passed, report
    assert report.card is not None
    assert "- Paper (Office Supplies): 10.04 USD" in report.card[1]


async def test_every_pending_report_is_listed_over_several_pages(
    acme: Acme, source: HttpSource
) -> None:
    created = {acme.create()["id"] for _ in range(105)}
    pages = [page async for page in source.pending()]
    assert len(pages) > 1
    listed = [one.record_id for page in pages for one in page.observations]
    assert created <= set(listed)
    assert len(listed) == len(set(listed))


async def test_a_poll_sees_what_changed_settled_reports_too(acme: Acme, source: HttpSource) -> None:
    pages = [page async for page in source.pending()]
    cursor = pages[-1].cursor
    new, settled = acme.create()["id"], acme.create()["id"]
    acme.decide(settled, "deny")
    changed = [page async for page in source.changed(cursor)]
    seen = {one.record_id: one for page in changed for one in page.observations}
    assert seen[new].state == "pending"
    assert (seen[settled].state, seen[settled].outcome) == ("settled", "rejected")
    assert changed[-1].cursor is not None
    assert cursor is not None
    assert changed[-1].cursor >= cursor


async def test_an_answer_is_applied_once_and_noted(acme: Acme, source: HttpSource) -> None:
    name = acme.create()["id"]
    answer = await answer_for(source, name, reason="Within budget")
    await source.decide(answer)
    await source.decide(answer)  # the same key: the same answer, not a second one
    record = acme.record(name)
    assert (record["status"], record["decided_by"]) == ("approved", "john.smith@example.com")
    assert record["decision_reason"] == "Within budget"
    for _ in range(2):
        await source.note(name, "Approved in Placet", idempotency_key=f"note-{name}")
    reading = await source.read(name)
    assert reading.notes == ("Approved in Placet",)
    assert (reading.observation.state, reading.observation.outcome) == ("settled", "approved")


async def test_a_note_does_not_make_an_answer_outdated(acme: Acme, source: HttpSource) -> None:
    name = acme.create()["id"]
    answer = await answer_for(source, name)
    await source.note(name, "Asked in Placet", idempotency_key=f"note-{name}")
    await source.decide(answer)
    assert acme.record(name)["status"] == "approved"


async def test_an_answer_to_a_report_that_changed_is_refused(
    acme: Acme, source: HttpSource
) -> None:
    name = acme.create()["id"]
    answer = await answer_for(source, name)
    acme.http.patch(f"/approvals/{name}", json={"description": "Twice as much paper"})
    with pytest.raises(RecordChanged):
        await source.decide(answer)
    assert acme.record(name)["status"] == "pending"


async def test_an_answer_to_a_settled_report_reads_who_settled_it(
    acme: Acme, source: HttpSource
) -> None:
    name = acme.create()["id"]
    answer = await answer_for(source, name)
    acme.decide(name, "deny")
    with pytest.raises(AlreadySettled) as caught:
        await source.decide(answer)
    assert caught.value.how is not None
    assert caught.value.how.outcome == "rejected"
    assert caught.value.how.settled_by


async def test_a_report_that_nobody_knows_is_gone(source: HttpSource) -> None:
    assert (await source.read("NO-SUCH-REPORT")).observation.state == "gone"


async def test_malformed_rows_stop_no_other(acme: Acme, source: HttpSource) -> None:
    name = acme.create()["id"]
    acme.http.put("/faults", json={"malformed_rows": True})
    pages = [page async for page in source.pending()]
    assert name in {one.record_id for page in pages for one in page.observations}
    reasons = [bad.reason for bad in pages[0].malformed]
    assert len(reasons) == 4
    assert any(reason.startswith("require[0]") for reason in reasons)


async def test_the_rate_limit_of_the_demo_is_honoured(acme: Acme, source: HttpSource) -> None:
    acme.http.put("/faults", json={"rate_limit": {"retry_after_s": 30, "only": ["list"]}})
    with pytest.raises(SourceUnavailable) as caught:
        async for _ in source.pending():
            pass
    assert caught.value.retry_after == 30
    acme.http.delete("/faults")
    with pytest.raises(SourceUnavailable, match="may be asked again in"):
        async for _ in source.pending():
            pass


async def test_a_write_whose_answer_never_came_may_have_been_taken(
    acme: Acme, definition: SourceDefinition
) -> None:
    name = acme.create()["id"]
    acme.http.put("/faults", json={"timeout_after_write": {"hang_s": 5, "times": 1}})
    file = definition.file.model_copy(
        update={"http": definition.file.http.model_copy(update={"timeout": 0.5})}
    )
    impatient = SourceDefinition(
        workspace="w1", path=definition.path, file=file, lines=definition.lines
    )
    async with httpx2.AsyncClient() as client:
        budget = Budget(MemoryBucket(), Allowance(limit=1000, per=1), 8)
        source = HttpSource(impatient, client, budget)
        answer = await answer_for(source, name)
        with pytest.raises(SourceUnavailable) as caught:
            await source.decide(answer)
        assert caught.value.may_have_written
        assert acme.record(name)["status"] == "approved"
        # Asked again with the same key: the answer that was lost, not a conflict with ourselves.
        await source.decide(answer)


async def test_a_wrong_token_is_told_as_such(tmp_path: Path) -> None:
    with Acme(tmp_path / "acme.sqlite3", token="right") as guarded:
        environ = {"ACME_EXPENSES_URL": guarded.url, "ACME_EXPENSES_TOKEN": "wrong"}
        async with httpx2.AsyncClient() as client:
            report = await try_source(load_source(FILE, "w1", environ), client)
            assert "Look at the credentials" in report.findings[0].sentence
            environ["ACME_EXPENSES_TOKEN"] = "right"
            assert (await try_source(load_source(FILE, "w1", environ), client)).passed
        budget = Budget(MemoryBucket(), Allowance(limit=1000, per=1), 8)
        environ["ACME_EXPENSES_TOKEN"] = "wrong"
        async with httpx2.AsyncClient() as client:
            source = HttpSource(load_source(FILE, "w1", environ), client, budget)
            with pytest.raises(SourceRefused):
                await source.read("x")
