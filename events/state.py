"""What an approval is now, as far as a decision needs to know: the fold of its facts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from events.approval import (
    AnsweredBack,
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEscalated,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalReassigned,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    AskedBack,
    DecisionSubmitted,
    DecisionUndone,
    Edited,
    Json,
    NotificationFailed,
    OnTimeout,
    Outcome,
    Person,
    Subject,
    Urgency,
    WithdrawalCause,
    WriteBackFailed,
)
from events.course import Course, Moving, begin, deadline, moved, time_over, vote_of
from events.voting import Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stands to be decided, by whom, and who was told.

    `approvers` are those whom the ask or its record named; whom it waits for stands in `course`.
    """

    about: Subject
    payload: Json
    approvers: tuple[Person, ...]
    course: Course
    reason: str | None
    urgency: Urgency
    metadata: Mapping[str, Json]
    expires_at: datetime
    editable: bool
    supersede_on_comment: bool
    on_timeout: OnTimeout
    revisions: frozenset[str]
    """Every revision that was ever shown: none may stand for two contents."""
    notified: frozenset[tuple[str, str, str]] = frozenset()
    """(approver, channel, revision) of each card that was sent."""
    not_notified: frozenset[tuple[str, str, str, str]] = frozenset()
    """(approver, channel, revision, reason) of each card that could not be."""

    @property
    def deadline(self) -> datetime:
        """When the time is over: while the clock stands still, not before the longest pause."""
        return deadline(self.expires_at, self.course.asked_back)

    @property
    def waits_for(self) -> tuple[Person, ...]:
        """Who is to do something now: whoever has not answered, or the requester who was asked."""
        if self.course.asked_back is not None:
            return (self.about.requester,)
        return self.course.asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody asked yet."""

    version: int = 0
    comments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Waits for an answer."""

    version: int
    comments: frozenset[str]
    asked: Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """Answered; the answer of `decision_version` is held, or on its way to the source."""

    version: int
    comments: frozenset[str]
    asked: Asked
    answer: DecisionSubmitted
    decision_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Final: approved or rejected."""

    version: int
    comments: frozenset[str]
    about: Subject
    outcome: Outcome
    by: Person
    edited: Edited | None
    at: datetime
    votes: tuple[Vote, ...]
    acknowledged: bool = False
    effective: Edited | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """Final: nothing left to decide."""

    version: int
    comments: frozenset[str]
    about: Subject
    cause: WithdrawalCause
    by: str | None
    outcome: Outcome | None
    at: datetime
    acknowledged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Final: nobody decided in time."""

    version: int
    comments: frozenset[str]
    about: Subject
    at: datetime
    acknowledged: bool = False


State = Unknown | Pending | Deciding | Decided | Withdrawn | Expired
Final = Decided | Withdrawn | Expired


class ImpossibleHistory(Exception):
    """A stream holds a fact that cannot follow the ones before it: the store was tampered with."""


def evolve(state: State, event: ApprovalEvent) -> State:
    """Return the state after one more fact; raises `ImpossibleHistory` for one that cannot be."""
    version = state.version + 1
    match event:
        case ApprovalRequested() if isinstance(state, Unknown):
            asked = Asked(
                about=event.about,
                payload=event.payload,
                approvers=event.approvers,
                course=begin(event.policy, event.approvers, event.at),
                reason=event.reason,
                urgency=event.urgency,
                metadata=event.metadata,
                expires_at=event.expires_at,
                editable=event.editable,
                supersede_on_comment=event.supersede_on_comment,
                on_timeout=event.on_timeout,
                revisions=frozenset((event.about.revision,)),
            )
            return Pending(version=version, comments=state.comments, asked=asked)
        case ApprovalCommented() if not isinstance(state, Unknown):
            return replace(state, version=version, comments=state.comments | {event.comment_id})
        case ApprovalAcknowledged() if isinstance(state, Decided):
            effective = event.effective or state.effective
            return replace(state, version=version, acknowledged=True, effective=effective)
        case ApprovalAcknowledged() if isinstance(state, Withdrawn | Expired):
            return replace(state, version=version, acknowledged=True)
        case ApproverNotified() if isinstance(state, Pending | Deciding):
            card = (event.approver, event.channel, event.revision)
            asked = replace(state.asked, notified=state.asked.notified | {card})
            return replace(state, version=version, asked=asked)
        case NotificationFailed() if isinstance(state, Pending | Deciding):
            failure = (event.approver, event.channel, event.revision, event.reason)
            asked = replace(state.asked, not_notified=state.asked.not_notified | {failure})
            return replace(state, version=version, asked=asked)
        case ApprovalRevised() if isinstance(state, Pending):
            asked = replace(
                _on_course(state.asked, event),
                about=event.about,
                payload=event.payload,
                approvers=event.approvers,
                on_timeout=event.on_timeout or state.asked.on_timeout,
                revisions=state.asked.revisions | {event.about.revision},
                reason=event.reason or state.asked.reason,
            )
            return replace(state, version=version, asked=asked)
        case ApprovalEscalated() if isinstance(state, Pending):
            asked = _on_course(state.asked, event)
            if event.policy is not None:
                asked = replace(asked, on_timeout=event.on_timeout)
            return replace(state, version=version, asked=asked)
        case (
            DecisionSubmitted(complete=False)
            | ApprovalReminded()
            | ApprovalReassigned()
            | AskedBack()
            | AnsweredBack()
        ) if isinstance(state, Pending):
            return replace(state, version=version, asked=_on_course(state.asked, event))
        case DecisionSubmitted() if isinstance(state, Pending):
            return Deciding(
                version=version,
                comments=state.comments,
                asked=state.asked,
                answer=event,
                decision_version=version,
            )
        case WriteBackFailed() | DecisionUndone() if isinstance(state, Deciding):
            return Pending(version=version, comments=state.comments, asked=state.asked)
        case ApprovalDecided() if isinstance(state, Deciding):
            return Decided(
                version=version,
                comments=state.comments,
                about=event.about,
                outcome=event.outcome,
                by=event.by,
                edited=event.edited,
                at=event.at,
                votes=(*state.asked.course.votes, vote_of(state.asked.course, state.answer)),
            )
        case ApprovalWithdrawn() if isinstance(state, Pending | Deciding):
            return Withdrawn(
                version=version,
                comments=state.comments,
                about=event.about,
                cause=event.cause,
                by=event.by,
                outcome=event.outcome,
                at=event.at,
            )
        case ApprovalExpired() if isinstance(state, Pending):
            return Expired(version=version, comments=state.comments, about=event.about, at=event.at)
        case (
            ApprovalRequested()
            | ApprovalCommented()
            | ApproverNotified()
            | NotificationFailed()
            | ApprovalRevised()
            | DecisionSubmitted()
            | DecisionUndone()
            | ApprovalReminded()
            | ApprovalReassigned()
            | ApprovalEscalated()
            | AskedBack()
            | AnsweredBack()
            | WriteBackFailed()
            | ApprovalDecided()
            | ApprovalWithdrawn()
            | ApprovalExpired()
            | ApprovalAcknowledged()
        ):
            raise ImpossibleHistory(
                f"{type(event).__name__} cannot be fact {version} of an approval that is "
                f"{type(state).__name__}"
            )
        case _:
            assert_never(event)


def _on_course(asked: Asked, event: Moving) -> Asked:
    return replace(
        asked,
        course=moved(asked.course, event),
        expires_at=time_over(asked.course, asked.expires_at, event),
    )


def fold(events: Iterable[ApprovalEvent], state: State | None = None) -> State:
    """Return what `events` make of `state`, or of an approval that nobody asked for yet."""
    current: State = state if state is not None else Unknown()
    for event in events:
        current = evolve(current, event)
    return current
