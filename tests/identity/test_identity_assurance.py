"""How well it must be known who answers: as policies and types demand, and as it is kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from ksuid import KsuidMs

from events.approval import (
    AppliedPolicy,
    Assurance,
    DecisionSubmitted,
    Person,
    Seat,
    Step,
    Subject,
)
from events.commands import RequestApproval, SubmitDecision
from events.decider import Refused, decide
from events.state import Pending, fold
from projections.approval_history import summary
from services.config import read_config
from services.decision.answering import Answer, Answering
from services.decision.asking import Asking
from services.decision.intake import ask_of
from services.decision.request_body import ApprovalBody, AskedBy, ask_command
from services.directory import Directory
from services.policies import Facts, Policies
from services.settings import HalfConfigured
from tests.services.service_kit import observation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN = Person(email="ann@example.com")
RITA = Person(email="rita@example.com")
ENOUGH: dict[Assurance | None, set[Assurance]] = {
    None: {"link", "key", "channel", "session", "step_up"},
    "link": {"link", "key", "channel", "session", "step_up"},
    "channel": {"key", "channel", "session", "step_up"},
    "session": {"session", "step_up"},
    "step_up": {"step_up"},
}
TYPE = """
name: payout
version: 1
title: A payout
"""
POLICY = """
name: payouts
version: 1
applies_to: {types: [payout]}
steps: [{name: finance, approvers: [ann@example.com, bob@example.com]}]
fallback: [cfo@example.com]
"""


def asked(demanded: Assurance | None) -> list[Any]:
    policy = AppliedPolicy(
        name="payouts",
        version=1,
        steps=(Step(name="", rule="any", needed=1, deny=1, seats=(Seat(person=ANN),)),),
        assurance=demanded,
    )
    about = Subject(
        type="payout", title="Pay", requester=RITA, revision="1", round=1, payload_digest="x"
    )
    ask = RequestApproval(
        about=about,
        payload={},
        approvers=(ANN,),
        reason=None,
        urgency="medium",
        metadata={},
        expires_at=NOW + timedelta(days=1),
        now=NOW,
        policy=policy,
    )
    return decide(ask, fold([]))


def answer(assurance: Assurance | None, channel: str = "inbox") -> SubmitDecision:
    return SubmitDecision(
        outcome="approved",
        by=ANN,
        reason=None,
        channel=channel,
        via=None,
        revision="1",
        now=NOW,
        assurance=assurance,
    )


@pytest.mark.parametrize("demanded", ENOUGH)
@pytest.mark.parametrize("given", [*get_args(Assurance), None])
def test_an_answer_is_taken_if_it_is_known_well_enough_who_gave_it(
    demanded: Assurance | None, given: Assurance | None
) -> None:
    state = fold(asked(demanded))
    if given in ENOUGH[demanded] or demanded is None:
        (submitted, _) = decide(answer(given), state)
        assert isinstance(submitted, DecisionSubmitted)
        assert submitted.assurance == given
        return
    with pytest.raises(Refused) as refused:
        decide(answer(given), state)
    assert refused.value.code == "assurance_too_low"
    assert "in Placet itself" in str(refused.value)
    assert ("second factor" in str(refused.value)) == (demanded == "step_up")


@pytest.mark.parametrize(
    ("given", "channel", "sentence"),
    [
        ("link", "email", "by email, known by the link that was sent to them alone."),
        ("channel", "slack", "by slack, known by their account there."),
        ("session", "inbox", "by inbox, signed in."),
        ("step_up", "inbox", "by inbox, signed in, and confirmed by their passkey."),
        ("key", "api", "by api."),
        (None, "api", "by api."),
    ],
)
def test_the_history_says_how_it_is_known_who_answered(
    given: Assurance | None, channel: str, sentence: str
) -> None:
    submitted = decide(answer(given, channel), fold(asked(None)))[0]
    assert summary(submitted) == f"ann@example.com answered approved {sentence}"


def write(folder: Path, *, kind: str = TYPE, policy: str | None = None) -> Path:
    (folder / "payout.yaml").write_text(kind)
    lines = ["types: [payout.yaml]"]
    if policy is not None:
        (folder / "payouts.yaml").write_text(policy)
        lines.append("policies: [payouts.yaml]")
    config = folder / "placet.yaml"
    config.write_text("\n".join(lines))
    return config


def demanded_of(config: Path) -> Assurance | None:
    """What an ask of the type is held to."""
    found = read_config(config, {})
    body = ApprovalBody(type="payout", title="Pay", approvers=[ANN.email], requester=RITA.email)
    command = ask_command(
        body,
        asked_by=AskedBy(email=RITA.email),
        now=NOW,
        types=found.types,
        directory=Directory(),
        policies=found.policies,
    )
    state = fold(decide(command, fold([])))
    assert isinstance(state, Pending)
    assert [one.email for one in state.asked.waits_for][:1] == [ANN.email]
    return state.asked.course.policy.assurance


@pytest.mark.parametrize(
    ("of_the_type", "of_the_policy", "held_to"),
    [
        (None, None, None),
        ("session", None, "session"),
        (None, "step_up", "step_up"),
        ("session", "step_up", "step_up"),
        ("step_up", "channel", "step_up"),
        ("link", "channel", "channel"),
    ],
)
def test_an_ask_is_held_to_what_its_type_or_its_policy_demands_whichever_is_more(
    tmp_path: Path, of_the_type: str | None, of_the_policy: str | None, held_to: str | None
) -> None:
    kind = TYPE + (f"assurance: {of_the_type}\n" if of_the_type else "")
    policy = POLICY + (f"assurance: {of_the_policy}\n" if of_the_policy else "")
    assert demanded_of(write(tmp_path, kind=kind, policy=policy)) == held_to


def test_a_type_demands_it_without_any_policy(tmp_path: Path) -> None:
    assert demanded_of(write(tmp_path, kind=f"{TYPE}assurance: session\n")) == "session"
    assert demanded_of(write(tmp_path)) is None


def test_a_record_of_a_source_is_held_to_it_too() -> None:
    policies = Policies(workspace="acme", demanded={"expense": "step_up"})
    ask = ask_of(
        observation(), round_=1, now=NOW, expires_after=timedelta(days=1), policies=policies
    )
    assert ask is not None
    assert ask.policy is not None
    assert ask.policy.assurance == "step_up"
    assert ask_of(observation(), round_=1, now=NOW, expires_after=timedelta(days=1)) is not None


def test_another_workspace_is_not_held_to_it() -> None:
    policies = Policies(workspace="acme", demanded={"expense": "step_up"})
    assert not policies.within("other").demanded


def test_waiting_for_the_fallback_is_no_way_around_it(tmp_path: Path) -> None:
    first = f"{POLICY}assurance: session\nexpires_in: 1d\non_timeout: {{policy: later}}\n"
    later = POLICY.replace("payouts", "later").replace("types: [payout]", "types: [none]")
    config = write(tmp_path, policy=first)
    (tmp_path / "later.yaml").write_text(later)
    config.write_text("types: [payout.yaml]\npolicies: [payouts.yaml, later.yaml]\n")
    found = read_config(config, {})
    about = Subject(
        type="payout", title="Pay", requester=RITA, revision="1", round=1, payload_digest="x"
    )
    choice = found.policies.choose(Facts(about=about, payload={}), Directory(), NOW)
    ask = RequestApproval(
        about=about,
        payload={},
        approvers=choice.approvers,
        reason=None,
        urgency="medium",
        metadata={},
        expires_at=NOW + timedelta(days=1),
        now=NOW,
        on_timeout="fallback",
        policy=choice.policy,
    )
    state = fold(decide(ask, fold([])))
    assert isinstance(state, Pending)
    fallback = found.policies.fallback_for(state, Directory(), NOW)
    assert fallback is not None
    assert (fallback.policy.name, fallback.policy.assurance) == ("later", "session")


@pytest.mark.parametrize(
    "lines",
    [
        "assurance: session\ndecide_from_link: true\n",
        "assurance: channel\ndecide_from_link: true\n",
        "assurance: step_up\ndecide_over_mcp: true\n",
        "assurance: session\ndecide_over_mcp: true\n",
        "assurance: key\n",
        "assurance: certainly\n",
    ],
)
def test_a_type_that_nobody_could_answer_as_it_says_is_refused(tmp_path: Path, lines: str) -> None:
    with pytest.raises(HalfConfigured):
        read_config(write(tmp_path, kind=TYPE + lines), {})


async def test_a_key_is_not_a_session() -> None:
    """Whatever a key may do, it is not the person who signed in."""
    from events.store.memory import MemoryStore

    class Nobody:
        async def carry_out(self, workspace: str, approval_id: str) -> None: ...

    store = MemoryStore()
    asking = Asking(store, lambda: NOW, policies=Policies(demanded={"payout": "session"}))
    body = ApprovalBody(type="payout", title="Pay", approvers=[ANN.email], requester=RITA.email)
    made = await asking.ask(
        "", body, asked_by=AskedBy(email=RITA.email), idempotency_key=None, fingerprint=""
    )
    assert KsuidMs.from_base62(made.view.id)
    answering = Answering(store, Nobody(), lambda: NOW)
    by_key = Answer(
        outcome="approved", by=ANN, reason=None, channel="api", via="key", revision=None
    )
    with pytest.raises(Refused, match="in Placet itself"):
        await answering.decide("", made.view.id, by_key)
    assert (await answering.current("", made.view.id)).status == "pending"
