"""Makes commands and facts at random, of few people and revisions, so that they meet."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from events.approval import (
    AppliedPolicy,
    ApprovalEvent,
    Edited,
    Link,
    Person,
    Reminders,
    Rung,
    Seat,
    SourceRecord,
    Step,
    Subject,
)
from events.codec import WIRE_NAMES
from events.commands import (
    AcknowledgeApproval,
    AnswerBack,
    AskBack,
    Automatic,
    Command,
    CommentOnApproval,
    ConfirmWriteBack,
    EscalateApproval,
    ExpireApproval,
    FailWriteBack,
    Fallback,
    ObservePending,
    ObserveSettled,
    ReassignApproval,
    RecordNotification,
    RecordNotificationFailure,
    RemindApprovers,
    RequestApproval,
    ReviseApproval,
    ReviseInWriteBack,
    SettleInWriteBack,
    SubmitDecision,
    SupersedeApproval,
    UndoDecision,
    WithdrawApproval,
)
from events.decider import Refused, decide
from events.digest import payload_digest
from events.state import evolve, fold
from events.voting import can_be_met
from tests.core.examples import ANN, BOB, EVE, NOW, RITA
from tests.core.steps import CARL, DORA

PATIENT = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""For machines that do other things meanwhile: how long an example takes proves nothing."""
PEOPLE = (ANN, BOB, CARL, DORA, EVE, RITA)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Whatever JSON can carry: NUL and emoji, but no halves of surrogate pairs."""
times = st.integers(-5, 3000).map(lambda after: NOW + timedelta(minutes=after))
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
payloads: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
few_payloads: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"n": 1}, {"n": True}, {"n": 1.5}, {}]
)
people = st.sampled_from(PEOPLE)
outcomes = st.sampled_from(["approved", "rejected"])
causes = st.sampled_from(["settled", "cancelled", "gone", "recalled", "superseded"])
versions = st.integers(1, 9)
GROUPS = ("finance", "legal")


@st.composite
def seats(draw: st.DrawFn, who: st.SearchStrategy[Person] = people) -> Seat:
    """A place for somebody, whom another may represent."""
    person = draw(who)
    stand_in = draw(st.none() | who)
    return Seat(
        person=person,
        groups=draw(st.sampled_from([(), ("finance",), ("legal",), GROUPS])),
        held_by=stand_in if stand_in != person else None,
    )


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """A step that its people can meet, of any rule."""
    theirs = tuple(
        draw(st.lists(seats(), min_size=1, max_size=4, unique_by=lambda seat: seat.person))
    )
    rule = draw(st.sampled_from(["any", "all", "count", "percent", "each"]))
    needed = {"any": 1, "all": len(theirs), "each": len(GROUPS)}.get(rule)
    step = Step(
        name=draw(st.sampled_from(["manager", "board"])),
        rule=rule,
        needed=needed or draw(st.integers(1, len(theirs))),
        deny=draw(st.integers(1, 2)),
        seats=theirs,
        groups=GROUPS if rule == "each" else (),
    )
    return step if can_be_met(step) else replace(step, rule="any", needed=1, groups=())


policies = st.builds(
    AppliedPolicy,
    name=st.sampled_from(["", "expenses", "board"]),
    version=st.integers(1, 2),
    steps=st.lists(steps(), min_size=1, max_size=3).map(tuple),
    self_approval=st.booleans(),
    reminders=st.none() | st.just(Reminders(after_s=60.0, every_s=60.0, most=3)),
    ladder=st.lists(st.just(Rung(after_s=60.0, to=("role:cfo",))), max_size=2).map(tuple),
)
"""Policies of few people, so that they sit at several steps and for each other."""


@st.composite
def asks(
    draw: st.DrawFn, bodies: st.SearchStrategy[dict[str, Any]] = few_payloads
) -> RequestApproval:
    """What somebody, or a record, asks for."""
    payload = draw(bodies)
    revision = draw(st.sampled_from(["1", "2", "3"]))
    now = draw(times)
    source = draw(
        st.none() | st.just(SourceRecord(name="acme", record_id="R-1", revision=revision))
    )
    optional = st.none() | texts
    return RequestApproval(
        about=Subject(
            type="expense",
            title=draw(st.sampled_from(["Oslo", "Rome"])),
            requester=draw(people),
            revision=revision,
            round=1,
            payload_digest=payload_digest(payload),
            source=source,
            subject=draw(optional),
            checkpoint_name=draw(optional),
            execution_id=draw(optional),
            agent_id=draw(optional),
            links=tuple(
                draw(st.lists(st.builds(Link, kind=texts, id=texts, url=optional), max_size=2))
            ),
            callback_url=draw(optional),
            type_version=draw(st.none() | st.integers(1, 3)),
            callback_dialect=draw(optional),
        ),
        payload=payload,
        approvers=tuple(draw(st.lists(people, min_size=1, max_size=3, unique=True))),
        reason=draw(optional),
        urgency=draw(st.sampled_from(["low", "medium", "high"])),
        metadata=draw(bodies),
        expires_at=now + timedelta(days=1),
        now=now,
        editable=draw(st.booleans()),
        supersede_on_comment=draw(st.booleans()),
        on_timeout=draw(st.sampled_from(["expire", "approve", "reject", "fallback"])),
        policy=draw(st.none() | policies),
        automatic=draw(
            st.sampled_from([None] * 9)
            | st.builds(Automatic, outcome=outcomes, reason=st.just("It is small."))
        ),
    )


def commands(
    bodies: st.SearchStrategy[dict[str, Any]] = few_payloads,
) -> st.SearchStrategy[Command]:
    """Any command, often enough one that meets what is there."""
    one_ask = asks(bodies)
    addresses = people.map(lambda person: person.email)
    channels = st.sampled_from(["slack", "email"])
    revisions = st.sampled_from(["1", "2", "1+1"])
    optional = st.none() | texts
    stand_ins = st.lists(addresses, max_size=2).map(tuple)
    questions = st.sampled_from(["q1", "q2", "q3"])
    settling = {"cause": causes, "by": st.none() | addresses, "outcome": st.none() | outcomes}
    return st.one_of(
        one_ask,
        st.builds(ObservePending, ask=one_ask, read_at=times),
        st.builds(ObserveSettled, read_at=times, now=times, **settling),
        st.builds(
            RecordNotification,
            approver=addresses,
            channel=channels,
            revision=revisions,
            reference=optional,
            card_digest=texts,
            now=times,
        ),
        st.builds(
            RecordNotificationFailure,
            approver=addresses,
            channel=channels,
            revision=revisions,
            reason=st.sampled_from(["gone", "full"]),
            now=times,
        ),
        st.builds(
            SubmitDecision,
            outcome=outcomes,
            by=people,
            reason=optional,
            channel=channels,
            via=optional,
            revision=st.none() | revisions,
            stands_in_for=stand_ins,
            held_until=st.none() | times,
            edited=st.none()
            | bodies.map(lambda body: Edited(payload=body, payload_digest=payload_digest(body))),
            now=times,
        ),
        st.builds(
            SupersedeApproval,
            by=people,
            successor=texts,
            revision=revisions,
            now=times,
        ),
        st.builds(AcknowledgeApproval, by=people, now=times),
        st.builds(UndoDecision, by=people, now=times),
        st.builds(ConfirmWriteBack, decision_version=versions, now=times),
        st.builds(
            FailWriteBack,
            decision_version=versions,
            cause=st.sampled_from(["refused", "unreachable", "changed"]),
            reason=texts,
            now=times,
        ),
        st.builds(ReviseInWriteBack, decision_version=versions, ask=one_ask),
        st.builds(SettleInWriteBack, decision_version=versions, now=times, **settling),
        st.builds(WithdrawApproval, by=people, as_admin=st.booleans(), reason=optional, now=times),
        st.builds(
            CommentOnApproval,
            comment_id=st.sampled_from(["c1", "c2"]),
            by=people,
            text=texts,
            now=times,
            by_person=st.booleans(),
        ),
        st.builds(
            ExpireApproval,
            now=times,
            fallback=st.none()
            | st.builds(
                Fallback,
                policy=policies,
                expires_at=times.map(lambda at: at + timedelta(days=3)),
                on_timeout=st.sampled_from(["expire", "approve", "fallback"]),
            ),
        ),
        st.builds(
            RemindApprovers,
            by=st.none() | people,
            as_admin=st.booleans(),
            approver=addresses,
            number=st.integers(1, 2),
            now=times,
        ),
        st.builds(
            ReassignApproval,
            person=addresses,
            to=people,
            cause=st.sampled_from(["reassigned", "delegated", "deactivated"]),
            by=st.none() | people,
            as_admin=st.booleans(),
            reason=optional,
            now=times,
        ),
        st.builds(
            EscalateApproval,
            step=st.integers(0, 1),
            rung=st.integers(1, 2),
            seats=st.lists(seats(), max_size=2).map(tuple),
            now=times,
        ),
        st.builds(
            AskBack,
            question_id=questions,
            by=people,
            text=texts,
            wants=st.sampled_from(["answer", "changes"]),
            revision=st.none() | revisions,
            stands_in_for=stand_ins,
            now=times,
        ),
        st.builds(
            AnswerBack,
            question_id=questions,
            by=people,
            as_admin=st.booleans(),
            text=texts,
            expires_at=times.map(lambda at: at + timedelta(days=1)),
            now=times,
        ),
        st.builds(ReviseApproval, by=people, as_admin=st.booleans(), ask=one_ask),
    )


def about_one_record(first: RequestApproval, rest: list[Command]) -> list[Command]:
    """Make everything that is seen later be seen of the record that the life began with."""

    def seen(ask: RequestApproval) -> RequestApproval:
        source = first.about.source and replace(first.about.source, revision=ask.about.revision)
        return replace(ask, about=replace(ask.about, source=source))

    orders: list[Command] = [first]
    for order in rest:
        match order:
            case RequestApproval():
                orders.append(seen(order))
            case ObservePending() | ReviseInWriteBack() | ReviseApproval():
                orders.append(replace(order, ask=seen(order.ask)))
            case _:
                orders.append(order)
    return orders


def life(orders: list[Command]) -> list[ApprovalEvent]:
    """What a sequence of commands leads to, refusals left out."""
    facts: list[ApprovalEvent] = []
    state = fold(())
    for command in orders:
        try:
            added = decide(command, state)
        except Refused:
            continue
        for fact in added:
            state = evolve(state, fact)
        facts.extend(added)
    return facts


def lives(
    bodies: st.SearchStrategy[dict[str, Any]] = few_payloads, *, length: int = 12
) -> st.SearchStrategy[list[ApprovalEvent]]:
    """Whole histories as the core makes them, beginning with an ask."""
    return st.builds(
        lambda first, rest: life(about_one_record(first, rest)),
        asks(bodies),
        st.lists(commands(bodies), max_size=length),
    )


def any_fact(
    bodies: st.SearchStrategy[dict[str, Any]] = payloads,
) -> st.SearchStrategy[ApprovalEvent]:
    """Any fact at all, whether or not the core would make it: from the types alone."""
    moments = st.integers(0, 10**15).map(lambda after: NOW + timedelta(microseconds=after))
    person = st.builds(Person, email=texts, name=st.none() | texts)
    place = st.builds(
        Seat,
        person=person,
        groups=st.lists(texts, max_size=2).map(tuple),
        held_by=st.none() | person,
        time_zone=st.none() | texts,
        since=st.none() | moments,
    )
    one_policy = st.builds(
        AppliedPolicy,
        name=texts,
        steps=st.lists(
            st.builds(Step, seats=st.lists(place, min_size=1, max_size=2).map(tuple)),
            min_size=1,
            max_size=2,
        ).map(tuple),
    )
    subject = st.builds(
        Subject,
        type=texts,
        title=texts,
        requester=person,
        revision=texts,
        round=st.integers(1, 1000),
        payload_digest=texts,
        source=st.none()
        | st.builds(
            SourceRecord, name=texts, record_id=texts, revision=texts, url=st.none() | texts
        ),
        links=st.lists(
            st.builds(Link, kind=texts, id=texts, url=st.none() | texts), max_size=2
        ).map(tuple),
    )
    shared: dict[str, st.SearchStrategy[Any]] = {
        "about": subject,
        "payload": bodies,
        "metadata": bodies,
        "approvers": st.lists(person, max_size=2).map(tuple),
        "at": moments,
        "expires_at": moments,
        "decided_at": moments,
        "policy": st.none() | one_policy,
        "seats": st.lists(place, max_size=2).map(tuple),
        "to": person,
    }
    return st.one_of(
        [
            st.builds(
                kind,
                **{name: what for name, what in shared.items() if name in kind.__annotations__},
                **({"by": person} if kind.__annotations__.get("by") is Person else {}),
            )
            for kind in WIRE_NAMES
        ]
    )
