"""What the events of an approval tell the notifier that its state does not, gathered in order."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from events.approval import (
    AnsweredBack,
    ApprovalEscalated,
    ApprovalReassigned,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalRevised,
    ApproverNotified,
    AskedBack,
    DecisionSubmitted,
    DecisionUndone,
    NotificationFailed,
    WriteBackFailed,
)
from events.envelope import Recorded
from services.channels.questions import Question


@dataclass(slots=True)
class Story:
    """All of it by the version of its event, where that matters.

    `revisions` are (version, revision) of each time that the content was new, oldest first;
    `moved_at` is when something last happened that cards have to tell while it is pending.
    """

    revisions: list[tuple[int, str]] = field(default_factory=list)
    failure: WriteBackFailed | None = None
    failed_at: int = 0
    moved_at: int = 0
    given_up: set[tuple[str, str, str]] = field(default_factory=set)
    told_at: dict[tuple[str, str, str], int] = field(default_factory=dict)
    questions: dict[int, Question] = field(default_factory=dict)
    passed_on: dict[str, ApprovalReassigned] = field(default_factory=dict)
    reminders: dict[str, tuple[int, ApprovalReminded]] = field(default_factory=dict)

    def add(self, version: int, recorded: Recorded) -> None:
        """Take in the next event."""
        match recorded.event:
            case ApprovalRequested() | ApprovalRevised() as event:
                self.revisions.append((version, event.about.revision))
                self.passed_on.clear()
                return
            case NotificationFailed() as event:
                self.given_up.add((event.approver, event.channel, event.revision))
                return
            case ApproverNotified() as event:
                self.told_at.setdefault((event.approver, event.channel, event.revision), version)
                return
            case WriteBackFailed() as event:
                self.failure, self.failed_at = event, version
            case AskedBack() as event:
                self.questions[version] = Question(asked=event)
            case AnsweredBack() as event:
                asked_at = max(self.questions)
                asked = self.questions[asked_at].asked
                self.questions[asked_at] = Question(asked=asked, answered=event)
            case ApprovalReassigned() as event:
                self.passed_on[event.person] = event
            case ApprovalReminded() as event:
                self.reminders[event.approver] = (version, event)
            case ApprovalEscalated() | DecisionSubmitted() | DecisionUndone():
                pass
            case _:
                return
        self.moved_at = version


def story_of(stream: Iterable[Recorded]) -> Story:
    """Return what a whole stream tells."""
    story = Story()
    for version, recorded in enumerate(stream, start=1):
        story.add(version, recorded)
    return story
