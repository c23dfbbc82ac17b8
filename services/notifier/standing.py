"""How an approval stands for the notifier: who is asked what now, since when, what went wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from events.approval import ApprovalReassigned, ApprovalReminded, WriteBackFailed
from events.course import Reminder
from events.envelope import Recorded
from events.state import Deciding, Final, Pending, State, Unknown, fold
from projections.approval_view import ApprovalView
from projections.evolving import view_of
from services.channels.card import Shown
from services.channels.questions import Question
from services.notifier.story import Story, story_of

Card = tuple[str, str]
"""Approver and channel."""
_QUESTION = "question:"
"""Queries know it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A reminder to somebody on a channel; `version` is that of its event."""

    approver: str
    channel: str
    version: int
    event: ApprovalReminded


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One approval, from one reading of its stream.

    `approvers` are the addresses of whom its step waits for, nobody once it is settled.
    `failure` is the answer that was not taken and has not been followed by another.
    """

    workspace: str
    approval_id: str
    stream: Sequence[Recorded]
    state: State
    approvers: tuple[str, ...]
    failure: WriteBackFailed | None
    story: Story
    _views: dict[int, ApprovalView] = field(default_factory=dict, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """Workspace and approval id."""
        return self.workspace, self.approval_id

    @property
    def began(self) -> int:
        """The version at which the present revision began."""
        return self.story.revisions[-1][0]

    @property
    def revision(self) -> str:
        """The present revision."""
        return self.story.revisions[-1][1]

    @property
    def has_moved(self) -> bool:
        """Tell whether cards of the present revision may have to say more than they did at first.

        Of a plain ask, nothing happens to a card before the end.
        """
        return isinstance(self.state, Pending | Deciding) and (
            self.failure is not None or self.story.moved_at > self.began
        )

    @property
    def is_final(self) -> bool:
        """Tell whether nothing is left to answer."""
        return isinstance(self.state, Final)

    @property
    def questions(self) -> Sequence[Question]:
        """All that was asked back, oldest first."""
        return tuple(self.story.questions.values())

    @property
    def asked_back_at(self) -> int | None:
        """The version of the question that waits for the requester, or None."""
        if isinstance(self.state, Pending) and self.state.asked.course.asked_back is not None:
            return max(self.story.questions)
        return None

    def has(self, approver: str, channel: str) -> bool:
        """Tell whether an approver's card of the present revision was sent or given up."""
        card = (approver, channel, self.revision)
        if card in self.story.given_up:
            return True
        return isinstance(self.state, Pending | Deciding) and card in self.state.asked.notified

    def was_told(self, approver: str) -> bool:
        """Tell whether an approver has a card of the present revision on some channel."""
        return isinstance(self.state, Pending | Deciding) and any(
            (one, revision) == (approver, self.revision)
            for one, _, revision in self.state.asked.notified
        )

    def missing(self, channels: Iterable[str]) -> list[Card]:
        """Return the cards that are still to be sent: none unless it waits for its approvers."""
        if not isinstance(self.state, Pending) or self.asked_back_at is not None:
            return []
        names = list(channels)
        return [
            (approver, channel)
            for approver in self.approvers
            for channel in names
            if not self.has(approver, channel)
        ]

    def reminders(self, channels: Iterable[str], since: datetime) -> list[Due]:
        """Return whom to remind, the latest time of each if it was due `since` then, and where.

        Only of a card that was out before: one that goes out later reminds by itself. Nobody who
        has answered, and nobody while the requester is asked something.
        """
        if not self.story.reminders:
            return []
        if not isinstance(self.state, Pending) or self.asked_back_at is not None:
            return []
        of_this_step = self.state.asked.course.reminders
        names = list(channels)
        return [
            Due(approver=approver, channel=channel, version=version, event=event)
            for approver, (version, event) in self.story.reminders.items()
            if approver in self.approvers
            and event.at > since
            and Reminder(approver=approver, number=event.number, at=event.at) in of_this_step
            for channel in names
            if self.story.told_at.get((approver, channel, self.revision), version) < version
        ]

    def passed_on(self, approver: str) -> ApprovalReassigned | None:
        """Return how an approver's place in the present revision went to somebody else, if so."""
        return self.story.passed_on.get(approver)

    def should_show(self, revision: str) -> Shown:
        """Return what a card for a revision, or for a question, should show now."""
        if self.is_final:
            return "settled"
        asked_at = self.question_at(revision)
        if asked_at is not None:
            return "open" if asked_at == self.asked_back_at else "settled"
        return "open" if revision == self.revision else "superseded"

    def question_at(self, revision: str) -> int | None:
        """Return the version of the question that a card is about, None for an approver's card."""
        if not revision.startswith(_QUESTION) or any(
            revision == one for _, one in self.story.revisions
        ):
            return None
        number = revision.removeprefix(_QUESTION)
        asked_at = int(number) if number.isdecimal() else 0
        return asked_at if asked_at in self.story.questions else None

    def may_send_again(self, version: int) -> bool:
        """Tell whether a card of the revision that began with an event may still be wanted."""
        return isinstance(self.state, Pending) and version == self.began

    def began_at(self, version: int) -> str | None:
        """Return what the cards are of that an event began: a revision, a question, or nothing."""
        if version in self.story.questions:
            return question_revision(version)
        return dict(self.story.revisions).get(version)

    def view(self) -> ApprovalView:
        """Return the approval as it is now."""
        return self._view(len(self.stream))

    def view_of_revision(self, revision: str) -> ApprovalView:
        """Return the approval as it was while it last had a revision, or as it is now."""
        end = len(self.stream)
        for version, name in reversed(self.story.revisions):
            if name == revision:
                return self._view(end)
            end = version - 1
        return self.view()

    def _view(self, end: int) -> ApprovalView:
        # Many cards are drawn of one view.
        view = self._views.get(end)
        if view is None:
            facts = (recorded.event for recorded in self.stream[:end])
            view = self._views[end] = view_of(self.workspace, self.approval_id, facts)
        return view

    def seen_before(self, approver: str) -> str | None:
        """Return the latest other revision that was put to an approver, None if none was."""
        others = [
            (version, revision)
            for (one, _, revision), version in self.story.told_at.items()
            if one == approver and revision != self.revision
        ]
        return max(others)[1] if others else None


def question_revision(version: int) -> str:
    """Return what stands as the revision of a question's card."""
    return f"{_QUESTION}{version}"


def standing_of(workspace: str, approval_id: str, stream: Sequence[Recorded]) -> Standing | None:
    """Return how an approval stands, or None for one that nobody asked for.

    Raises `ImpossibleHistory` for a stream that was tampered with.
    """
    state = fold(recorded.event for recorded in stream)
    if isinstance(state, Unknown):
        return None
    story = story_of(stream)
    # A failure belongs to the revision that was answered; one that brought the next revision to
    # light stands right before it.
    failure = story.failure
    if not isinstance(state, Pending) or story.failed_at < story.revisions[-1][0] - 1:
        failure = None
    approvers: tuple[str, ...] = ()
    if isinstance(state, Pending | Deciding):
        approvers = tuple(person.email for person in state.asked.course.asked)
    return Standing(
        workspace=workspace,
        approval_id=approval_id,
        stream=stream,
        state=state,
        approvers=approvers,
        failure=failure,
        story=story,
    )
