"""What the oracle says to each command before it is looked at what came of it."""

from typing import assert_never

from events.approval import (
    ApprovalEscalated,
    ApprovalReassigned,
    ApprovalRevised,
    DecisionSubmitted,
)
from events.commands import (
    AcknowledgeApproval,
    AnswerBack,
    AskBack,
    CommentOnApproval,
    ConfirmWriteBack,
    EscalateApproval,
    ExpireApproval,
    FailWriteBack,
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
from tests.model.driving import Told
from tests.model.oracle import Answer, Chair, Oracle, content_of

POLICY = "policy@placet.invalid"
CLOCK = "timeout@placet.invalid"


def foretold(oracle: Oracle, told: Told) -> Answer:
    """Return what should have come of a command, and bring the oracle there.

    Where the oracle has no opinion of its own on whether it may be, it holds what came of it to
    what must never be: nobody asked twice, nor who asks.
    """
    command = told.command
    came: Answer = "added" if told.added else "refused" if told.refused else "nothing"
    match command:
        case RequestApproval():
            return _begun(oracle, command)
        case ObservePending():
            return _shown(oracle, command.ask, told)
        case SubmitDecision():
            return oracle.vote(
                command.by.email,
                command.outcome,
                now=command.now,
                stands_for=command.stands_in_for,
                revision=command.revision,
                held=command.held_until,
            )
        case UndoDecision():
            return oracle.takes_back(command.by.email, now=command.now)
        case AskBack():
            return oracle.asks_back(
                command.by.email, command.question_id, command.wants, now=command.now
            )
        case AnswerBack():
            return oracle.answers_back(
                command.by.email, command.question_id, now=command.now, until=command.expires_at
            )
        case ReassignApproval():
            return _passed_on(oracle, command, told, came)
        case EscalateApproval():
            return _joined(oracle, command, told, came)
        case ReviseApproval():
            return _revised(oracle, command, told)
        case ExpireApproval():
            return _ran_out(oracle, command)
        case ObserveSettled() | SupersedeApproval():
            return _taken_away(oracle)
        case WithdrawApproval():
            return _withdrawn(oracle, command)
        case ConfirmWriteBack() | FailWriteBack() | ReviseInWriteBack() | SettleInWriteBack():
            return _written_back(oracle, command, told)
        case AcknowledgeApproval():
            return came if oracle.over else "refused"
        case RemindApprovers() if command.by is not None and oracle.status != "pending":
            return "refused"
        case RemindApprovers():
            assert not told.added or oracle.stopped is None
            return came
        case CommentOnApproval() | RecordNotification() | RecordNotificationFailure():
            return came
        case _:
            assert_never(command)


def expected(oracle: Oracle, told: Told) -> Answer:
    """Return what `foretold` says, and count the facts."""
    answer = foretold(oracle, told)
    for number, fact in enumerate(told.added, start=oracle.version + 1):
        if isinstance(fact, DecisionSubmitted) and fact.complete:
            oracle.decision_version = number
    oracle.version += len(told.added)
    return answer


def _begun(oracle: Oracle, ask: RequestApproval) -> Answer:
    if oracle.shown:
        return "nothing"
    oracle.shown.add(ask.about.revision)
    _decided_at_once(oracle, ask)
    return "added"


def _decided_at_once(oracle: Oracle, ask: RequestApproval) -> None:
    if ask.automatic is not None:
        oracle.answered(POLICY, ask.automatic.outcome)


def _shown(oracle: Oracle, ask: RequestApproval, told: Told) -> Answer:
    if not oracle.shown:
        return _begun(oracle, ask)
    if oracle.status != "pending" or content_of(ask) == oracle.content:
        return "nothing"
    _changed(oracle, ask, told, by_requester=False)
    return "added"


def _changed(oracle: Oracle, ask: RequestApproval, told: Told, *, by_requester: bool) -> None:
    revisions = [one.about.revision for one in told.added if isinstance(one, ApprovalRevised)]
    if revisions:  # none, while it is only looked whether it might have been
        oracle.revised(ask, revisions[0], by_requester=by_requester)
    _decided_at_once(oracle, ask)


def _revised(oracle: Oracle, command: ReviseApproval, told: Told) -> Answer:
    mine = command.as_admin or command.by.email == oracle.requester
    if oracle.status != "pending" or oracle.mirrored or not mine:
        return "refused"
    if content_of(command.ask) == oracle.content:
        return "nothing"
    _changed(oracle, command.ask, told, by_requester=True)
    return "added"


def _passed_on(oracle: Oracle, command: ReassignApproval, told: Told, came: Answer) -> Answer:
    if oracle.status != "pending":
        return "nothing" if command.by is None else "refused"
    if came != "added":
        return came
    (fact,) = told.added
    assert isinstance(fact, ApprovalReassigned)
    to = fact.to.email
    assert oracle.own_allowed or to != oracle.requester, "who asks is asked"
    assert to not in _who_counts(oracle), "somebody is asked twice"
    open_chairs = _open_chairs(oracle)
    assert any(fact.person in (chair.owner, chair.keeper) for chair in open_chairs)
    oracle.passed_on(fact.person, to, fact.cause)
    return came


def _joined(oracle: Oracle, command: EscalateApproval, told: Told, came: Answer) -> Answer:
    due = (command.step, command.rung) == (oracle.at, oracle.rungs + 1)
    if oracle.status != "pending" or oracle.stopped is not None or not due:
        return "nothing"
    if came != "added":
        return "added"
    (fact,) = told.added
    assert isinstance(fact, ApprovalEscalated)
    here = {
        one for chair in oracle.rounds[oracle.at].chairs for one in (chair.owner, chair.keeper)
    } | {word.who for word in oracle.words}
    for seat in fact.seats:
        who = {seat.person.email, seat.holder.email}
        assert not who & here, "somebody is asked twice"
        assert oracle.own_allowed or oracle.requester not in who, "who asks is asked"
    oracle.joined(fact.seats)
    return came


def _who_counts(oracle: Oracle) -> set[str]:
    """Return everybody who answered, or sits at this step or a later one."""
    return {word.who for word in oracle.words} | {
        one
        for later in oracle.rounds[oracle.at :]
        for chair in later.chairs
        for one in (chair.owner, chair.keeper)
    }


def _open_chairs(oracle: Oracle) -> list[Chair]:
    sat = oracle.sitting(oracle.at, oracle.words)
    chairs = oracle.rounds[oracle.at].chairs
    return [chair for number, chair in enumerate(chairs) if number not in sat]


def _ran_out(oracle: Oracle, command: ExpireApproval) -> Answer:
    end = oracle.runs_out(command.now)
    if end is None:
        return "nothing"
    instead = command.fallback
    if instead is not None and oracle.on_timeout == "fallback":
        oracle.taken_over(instead.policy, instead.expires_at, instead.on_timeout)
    elif end == "expired":
        oracle.status = end
    else:
        oracle.answered(CLOCK, end)
    return "added"


def _taken_away(oracle: Oracle) -> Answer:
    if oracle.status != "pending":
        return "nothing"
    oracle.status = "withdrawn"
    return "added"


def _withdrawn(oracle: Oracle, command: WithdrawApproval) -> Answer:
    if oracle.recalled:
        return "nothing"
    mine = command.as_admin or command.by.email == oracle.requester
    if oracle.status != "pending" or oracle.mirrored or not mine:
        return "refused"
    oracle.status, oracle.recalled = "withdrawn", True
    return "added"


def _written_back(
    oracle: Oracle,
    command: ConfirmWriteBack | FailWriteBack | ReviseInWriteBack | SettleInWriteBack,
    told: Told,
) -> Answer:
    if oracle.status != "deciding" or command.decision_version != oracle.decision_version:
        return "nothing"
    match command:
        case ConfirmWriteBack():
            oracle.status = oracle.final_word[1]
        case FailWriteBack():
            oracle.status = "pending"
        case ReviseInWriteBack():
            _changed(oracle, command.ask, told, by_requester=False)
        case SettleInWriteBack():
            oracle.status = "withdrawn"
        case _:
            assert_never(command)
    return "added"
