"""Whoever there is, and whoever is away: what a policy makes of an ask can always be met."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from events.commands import RequestApproval, SubmitDecision
from events.decider import Refused, decide
from events.state import Decided, Pending, State, evolve, fold
from events.voting import can_be_met
from services.directory import Delegation, Directory, Member
from services.policies import Facts, NobodyToAsk, Policies, load_policies
from tests.policies.policy_kit import NOW, facts

NAMES = [f"{name}@example.com" for name in ("ann", "ben", "cem", "dora", "emil", "faye")]
GROUPS = ["finance", "legal", "board"]
KNOWN = Directory({"otto@example.com": Member(email="otto@example.com", roles=frozenset({"op"}))})
_person = st.sampled_from(NAMES)


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    """Some people, managed by anybody, also in circles; delegations to anybody, also in circles."""
    members = {
        email: Member(
            email=email,
            active=draw(st.booleans()) or draw(st.booleans()),
            groups=draw(st.frozensets(st.sampled_from(GROUPS))),
            roles=draw(st.frozensets(st.sampled_from(["op", "other"]), max_size=1)),
            manager=draw(st.none() | _person),
        )
        for email in draw(st.lists(_person, unique=True))
    }
    pairs = draw(st.lists(st.tuples(_person, _person), max_size=4))
    return Directory(
        members,
        [
            Delegation(
                id=str(place),
                person=person,
                to=to,
                begins=NOW - timedelta(hours=place + 1),
                ends=NOW + timedelta(hours=1),
            )
            for place, (person, to) in enumerate(pairs)
        ],
    )


_specs = st.lists(
    st.sampled_from(
        [
            *(f"group:{group}" for group in GROUPS),
            "role:op",
            "requester.manager",
            "payload.who",
            "record.approvers",
            *NAMES[:3],
        ]
    ),
    min_size=1,
    max_size=4,
)
_rules = st.sampled_from(["any", "all", "1", "2", "3", "1%", "50%", "51%", "100%"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The file of a policy, with a fallback that the file knows of and the directory may not."""
    lines = ["name: any", "version: 1", "fallback: [role:op]", "steps:"]
    for place in range(draw(st.integers(1, 3))):
        each = draw(st.booleans())
        specs = [f"group:{group}" for group in GROUPS[:2]] if each else draw(_specs)
        lines += [
            f"  - name: step{place}",
            f"    approvers: [{', '.join(specs)}]",
            f"    rule: {'one from each' if each else draw(_rules)}",
            f"    deny: {draw(st.integers(1, 4))}",
        ]
        if draw(st.booleans()):
            lines.append(f"    when: {draw(st.sampled_from(['payload.n > 1', 'true', 'false']))}")
    lines.append(f"self_approval: {draw(st.sampled_from(['true', 'false']))}")
    return "\n".join(lines)


_known_people = Directory(
    {
        **KNOWN.members,
        **{name: Member(email=name, roles=frozenset({"op"})) for name in NAMES},
    }
)


def read(text: str) -> Policies | None:
    """The policy of a text; None where it is refused at start, as with a quorum of too few."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "any.yaml"
        file.write_text(text)
        policies, errors = load_policies([file], _known_people)
    assert all("must approve, but only" in one or "must reject, but" in one for one in errors)
    return None if errors else Policies(policies=policies)


@settings(max_examples=300, deadline=None)
@given(
    people=directories(),
    text=texts(),
    requester=_person,
    who=st.none() | _person | st.lists(_person, max_size=3) | st.just(7),
    n=st.sampled_from([1, 2, None]),
    named=st.lists(st.sampled_from(["ann", "ben", "emil"]), max_size=3),
    source=st.sampled_from([None, "erp"]),
)
def test_what_a_policy_makes_of_an_ask_can_always_be_met(
    people: Directory,
    text: str,
    requester: str,
    who: object,
    n: int | None,
    named: list[str],
    source: str | None,
) -> None:
    policies = read(text)
    if policies is None:
        return
    asked = facts({"who": who, "n": n}, requester=requester, named=named, source=source)
    try:
        choice = policies.choose(asked, people, NOW)
    except NobodyToAsk:
        assert source is None  # nothing that a source holds is refused
        return
    policy = choice.policy
    assert policy is not None
    stuck = any("until an administrator passes it on" in one for one in policy.warnings)
    holders: list[str] = []
    for step in policy.steps:
        assert can_be_met(step)
        assert 1 <= len(step.seats) <= 50
        assert 1 <= step.needed <= len(step.seats)
        assert 1 <= step.deny <= len(step.seats)
        assert len({seat.person.email for seat in step.seats}) == len(step.seats)
        holders += [seat.holder.email for seat in step.seats]
    if stuck:
        return
    assert all(people.is_active(email) for email in holders)
    if not policy.self_approval:
        assert requester not in holders
    ended = everybody_approves(asked, policies, people)
    assert isinstance(ended, Decided) or source is not None
    if isinstance(ended, Decided):
        assert ended.outcome == "approved"


def everybody_approves(asked: Facts, policies: Policies, people: Directory) -> State:
    """What becomes of an ask when everybody whom it waits for says yes, as often as it asks."""
    choice = policies.choose(asked, people, NOW)
    ask = RequestApproval(
        about=asked.about,
        payload=asked.payload,
        approvers=choice.approvers,
        reason=None,
        urgency="medium",
        metadata={},
        expires_at=NOW + timedelta(days=1),
        now=NOW,
        policy=choice.policy,
    )
    state: State = fold(decide(ask, fold(())))
    for _ in range(200):
        if not isinstance(state, Pending):
            return state
        seat = state.asked.course.waiting[0]
        for by in (seat.holder, seat.person):
            yes = SubmitDecision(
                outcome="approved",
                by=by,
                reason=None,
                channel="api",
                via=None,
                revision=None,
                now=NOW,
            )
            try:
                facts_after = decide(yes, state)
            except Refused:
                continue
            for event in facts_after:
                state = evolve(state, event)
            if facts_after:
                break
        else:
            raise AssertionError(f"nobody can answer for {seat}")
    raise AssertionError("it never ends")
