"""Changes what waits: whom it waits for, what its requester is asked, and what is asked of them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from events.approval import ApprovalEvent, Person, Step, Wanted
from events.commands import (
    AnswerBack,
    AskBack,
    Command,
    ReassignApproval,
    RemindApprovers,
    ReviseApproval,
)
from events.decider import Refused, decide
from events.decider.refusal import refuse_unless_pending
from events.handling import Order, handle_made
from events.state import Pending, State
from events.store import ClaimTaken, EventStore, Unavailable
from projections.approval_view import ApprovalView
from projections.evolving import view_of
from projections.working_hours import add, between
from services.decision.answering import refuse_inactive
from services.decision.asking import ROUNDS, Asking
from services.decision.identifiers import new_command_id
from services.decision.request_body import AskedBy
from services.decision.revising import (
    Changes,
    as_asked,
    changed_body,
    in_its_place,
    refuse_reuse,
)
from services.directory import Directories, Directory, FixedDirectories


class Changing:
    """Passes on, reminds, asks back and revises; raises `Refused` and `Unavailable`.

    Each command is made from the approval as it meets it, so that none goes by what is over.
    """

    def __init__(
        self,
        store: EventStore,
        asking: Asking,
        clock: Callable[[], datetime],
        directories: Directories | None = None,
    ) -> None:
        self._store = store
        self._asking = asking
        self._clock = clock
        self._directories = directories or FixedDirectories()

    async def reassign(
        self,
        workspace: str,
        approval_id: str,
        *,
        by: Person,
        as_admin: bool,
        to: str,
        person: str | None = None,
        reason: str | None = None,
        via: str | None = None,
    ) -> ApprovalView:
        """Ask `to` instead of `person`, who is `by` where nobody is named.

        Raises `Problem` (403) when `by` is not active any more.
        """
        directory = self._directories.of(workspace)
        refuse_inactive(directory, by.email)
        command = ReassignApproval(
            person=person or by.email,
            to=directory.known(Person(email=to)),
            cause="reassigned",
            by=by,
            as_admin=as_admin,
            reason=reason,
            time_zone=directory.time_zone_of(to),
            via=via,
            now=self._clock(),
        )

        def fitting(state: State, _: Sequence[ApprovalEvent]) -> Command:
            # Only whoever may pass it on is told who would fit.
            if isinstance(state, Pending) and decide(command, state):
                _refuse_unfit(command, state, directory)
            return command

        return await self._change(workspace, approval_id, fitting)

    async def remind(
        self, workspace: str, approval_id: str, *, by: Person, as_admin: bool
    ) -> ApprovalView:
        """Remind those who have not answered."""
        command = RemindApprovers(
            by=by, as_admin=as_admin, approver=None, number=None, now=self._clock()
        )
        return await self._change(workspace, approval_id, lambda _state, _facts: command)

    async def ask_back(
        self,
        workspace: str,
        approval_id: str,
        *,
        by: Person,
        text: str,
        wants: Wanted,
        question_id: str,
        revision: str | None = None,
        via: str | None = None,
    ) -> ApprovalView:
        """Ask the requester, or return the ask for changes, once for each id; the clock stops.

        Raises `Problem` (403) when `by` is not active any more.
        """
        now, directory = self._clock(), self._directories.of(workspace)
        refuse_inactive(directory, by.email)
        command = AskBack(
            question_id=question_id,
            by=by,
            text=text,
            wants=wants,
            revision=revision,
            stands_in_for=directory.stands_in_for(by.email, now),
            via=via,
            now=now,
        )
        return await self._change(workspace, approval_id, lambda _state, _facts: command)

    async def answer_back(
        self,
        workspace: str,
        approval_id: str,
        *,
        by: Person,
        as_admin: bool,
        text: str,
        question_id: str | None = None,
    ) -> ApprovalView:
        """Answer the question of an id, or the one that is open; the time that was left runs on.

        Raises `Problem` (403) when `by` is not active any more.
        """
        now = self._clock()
        refuse_inactive(self._directories.of(workspace), by.email)

        def answer(state: State, _: Sequence[ApprovalEvent]) -> Command:
            open_, expires_at = "", now
            if isinstance(state, Pending) and (question := state.asked.course.asked_back):
                open_ = question.question_id
                hours = state.asked.course.policy.hours
                left = between(question.at, state.asked.expires_at, hours)
                expires_at = add(now, left, hours)
            return AnswerBack(
                question_id=question_id or open_,
                by=by,
                as_admin=as_admin,
                text=text,
                expires_at=expires_at,
                now=now,
            )

        return await self._change(workspace, approval_id, answer)

    async def revise(
        self, workspace: str, approval_id: str, *, by: Person, as_admin: bool, changes: Changes
    ) -> ApprovalView:
        """Change what is asked: a new revision, under its type and its policy as they are now.

        Raises as `Asking.ask` does, and `Problem` (409) for a revision that was shown before.
        """
        command_id = new_command_id()

        async def order(state: State, facts: Sequence[ApprovalEvent]) -> Order:
            pending = refuse_unless_pending(state)
            ask = as_asked(pending, facts)
            # Whoever may not change it is told so before what they changed is looked at.
            decide(ReviseApproval(by=by, as_admin=as_admin, ask=ask), pending)
            asked_by = AskedBy(
                email=by.email, as_admin=as_admin, callback_dialect=ask.about.callback_dialect
            )
            anew = self._asking.command(workspace, changed_body(ask, changes), asked_by)
            command = ReviseApproval(by=by, as_admin=as_admin, ask=in_its_place(anew, facts))
            refuse_reuse(changes.revision, command, pending)
            return Order(
                approval_id=approval_id,
                command=command,
                command_id=command_id,
                claims=await self._asking.claims_of_revised(
                    workspace, approval_id, command.ask.about
                ),
            )

        for _ in range(ROUNDS):
            try:
                handled = await handle_made(self._store, workspace, approval_id, order)
            except ClaimTaken:
                continue
            return view_of(workspace, approval_id, handled.facts)
        raise Unavailable(
            "Others ask about this subject all the time. Nothing was done; try again."
        )

    async def _change(
        self,
        workspace: str,
        approval_id: str,
        made: Callable[[State, Sequence[ApprovalEvent]], Command],
    ) -> ApprovalView:
        command_id = new_command_id()

        async def order(state: State, facts: Sequence[ApprovalEvent]) -> Order:
            command = made(state, facts)
            return Order(approval_id=approval_id, command=command, command_id=command_id)

        handled = await handle_made(self._store, workspace, approval_id, order)
        return view_of(workspace, approval_id, handled.facts)


def _refuse_unfit(command: ReassignApproval, state: Pending, directory: Directory) -> None:
    """Raise `Refused` for somebody who cannot take a seat, though they might be asked."""
    to, course = command.to.email, state.asked.course
    if not directory.is_active(to):
        raise Refused("cannot_reassign", f"{to} is not active any more. Name somebody else.")
    member = directory.find(to)
    groups = member.groups if member else frozenset[str]()
    for step in course.policy.steps[course.step :]:
        lacking = _lacking(step, command.person, groups)
        if lacking:
            raise Refused(
                "cannot_reassign",
                f"{command.person} is asked for {lacking}, and {to} is not in it. Name somebody "
                "who is.",
            )


def _lacking(step: Step, person: str, groups: frozenset[str]) -> str | None:
    """Return for which groups somebody sits at a step, if others are not enough for it."""
    for seat in step.seats:
        if person not in (seat.person.email, seat.holder.email) or not seat.groups:
            continue
        # Where each group must agree, a seat speaks for all that it is there for.
        enough = groups.issuperset if step.rule == "each" else groups.intersection
        if not enough(seat.groups):
            return (" and " if step.rule == "each" else " or ").join(seat.groups)
    return None
