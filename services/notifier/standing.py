"""How an approval stands for the notifier: what is asked now, since when, and what went wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from events.approval import (
    ApprovalRequested,
    ApprovalRevised,
    NotificationFailed,
    WriteBackFailed,
)
from events.envelope import Recorded
from events.state import Deciding, Final, Pending, State, Unknown, fold
from projections.approval_view import ApprovalView, view_of
from services.channels.card import Shown

Card = tuple[str, str]
"""Approver and channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One approval, from one reading of its stream.

    `revisions` are (version, revision) of each time that the content was new, oldest first.
    `failure` is the answer that was not taken and has not been followed by another, and
    `failed_at` its version.
    """

    workspace: str
    approval_id: str
    stream: Sequence[Recorded]
    state: State
    revisions: tuple[tuple[int, str], ...]
    failure: WriteBackFailed | None
    failed_at: int
    given_up: frozenset[tuple[str, str, str]]

    @property
    def key(self) -> tuple[str, str]:
        """Workspace and approval id."""
        return self.workspace, self.approval_id

    @property
    def began(self) -> int:
        """The version at which the present revision began."""
        return self.revisions[-1][0]

    @property
    def revision(self) -> str:
        """The present revision."""
        return self.revisions[-1][1]

    @property
    def approvers(self) -> tuple[str, ...]:
        """Who is asked now: nobody once it is settled."""
        if isinstance(self.state, Pending | Deciding):
            return tuple(dict.fromkeys(one.email for one in self.state.asked.approvers))
        return ()

    @property
    def is_final(self) -> bool:
        """Tell whether nothing is left to answer."""
        return isinstance(self.state, Final)

    def has(self, approver: str, channel: str) -> bool:
        """Tell whether an approver's card of the present revision was sent or given up."""
        card = (approver, channel, self.revision)
        if card in self.given_up:
            return True
        return isinstance(self.state, Pending | Deciding) and card in self.state.asked.notified

    def was_told(self, approver: str) -> bool:
        """Tell whether an approver has a card of the present revision on some channel."""
        return isinstance(self.state, Pending | Deciding) and any(
            (one, revision) == (approver, self.revision)
            for one, _, revision in self.state.asked.notified
        )

    def missing(self, channels: Iterable[str]) -> list[Card]:
        """Return the cards that are still to be sent: none unless it waits for an answer."""
        if not isinstance(self.state, Pending):
            return []
        names = list(channels)
        return [
            (approver, channel)
            for approver in self.approvers
            for channel in names
            if not self.has(approver, channel)
        ]

    def should_show(self, approver: str, revision: str) -> Shown:
        """Return what a card of an approver for a revision should show now."""
        if self.is_final:
            return "settled"
        return "open" if revision == self.revision and approver in self.approvers else "superseded"

    def revision_begun_at(self, version: int) -> str | None:
        """Return which revision began with an event, or None if none did."""
        return dict(self.revisions).get(version)

    def view(self) -> ApprovalView:
        """Return the approval as it is now."""
        return self._view(self.stream)

    def view_of_revision(self, revision: str) -> ApprovalView:
        """Return the approval as it was while it last had a revision, or as it is now."""
        end = len(self.stream)
        for version, name in reversed(self.revisions):
            if name == revision:
                return self._view(self.stream[:end])
            end = version - 1
        return self.view()

    def _view(self, stream: Sequence[Recorded]) -> ApprovalView:
        facts = (recorded.event for recorded in stream)
        return view_of(self.workspace, self.approval_id, facts)

    def was_asked_before(self, approver: str) -> bool:
        """Tell whether an earlier revision was put to an approver."""
        return any(
            approver in {person.email for person in recorded.event.approvers}
            for recorded in self.stream[: self.began - 1]
            if isinstance(recorded.event, ApprovalRequested | ApprovalRevised)
        )


def standing_of(workspace: str, approval_id: str, stream: Sequence[Recorded]) -> Standing | None:
    """Return how an approval stands, or None for one that nobody asked for.

    Raises `ImpossibleHistory` for a stream that was tampered with.
    """
    state = fold(recorded.event for recorded in stream)
    if isinstance(state, Unknown):
        return None
    revisions: list[tuple[int, str]] = []
    failure: WriteBackFailed | None = None
    failed_at = 0
    given_up: set[tuple[str, str, str]] = set()
    for version, event in enumerate((recorded.event for recorded in stream), start=1):
        match event:
            case ApprovalRequested() | ApprovalRevised():
                revisions.append((version, event.about.revision))
            case WriteBackFailed():
                failure, failed_at = event, version
            case NotificationFailed():
                given_up.add((event.approver, event.channel, event.revision))
            case _:
                continue
    # A failure belongs to the revision that was answered; one that brought the next revision to
    # light stands right before it.
    if not isinstance(state, Pending) or failed_at < revisions[-1][0] - 1:
        failure, failed_at = None, 0
    return Standing(
        workspace=workspace,
        approval_id=approval_id,
        stream=stream,
        state=state,
        revisions=tuple(revisions),
        failure=failure,
        failed_at=failed_at,
        given_up=frozenset(given_up),
    )
