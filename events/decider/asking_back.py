"""The rules of questions: an approver asks back, the requester answers or changes what is asked."""

from events.approval import AnsweredBack, ApprovalEvent, AskedBack
from events.commands import AnswerBack, AskBack, ReviseApproval
from events.decider.answering import place_of, refuse_late, refuse_stale
from events.decider.observing import content_changed, revised
from events.decider.refusal import Refused, refuse_unless_pending
from events.state import State

MOST_QUESTIONS = 20
"""How often one approval is asked back: what needs more is a conversation, not an approval."""


def ask_back(command: AskBack, state: State) -> list[ApprovalEvent]:
    """Ask the requester something, or return it for changes; the clock stops."""
    pending = refuse_unless_pending(state)
    asked = pending.asked
    if command.question_id in asked.course.questions:
        return []
    place_of(command.by, command.stands_in_for, pending)
    refuse_stale(command.revision, pending)
    refuse_late(command.now, pending)
    if command.wants == "changes" and asked.about.source is not None:
        raise Refused(
            "not_editable",
            f"This mirrors a record of {asked.about.source.name}: ask for the change there, and "
            "it comes back as a new revision.",
        )
    if asked.course.asked_back is not None:
        raise Refused(
            "returned",
            f"{asked.course.asked_back.by.email} has asked {asked.about.requester.email} "
            "already, who has not answered yet.",
        )
    if len(asked.course.questions) >= MOST_QUESTIONS:
        raise Refused(
            "too_often",
            f"This was asked back {MOST_QUESTIONS} times: decide it, or reject it and say why.",
        )
    return [
        AskedBack(
            question_id=command.question_id,
            by=command.by,
            text=command.text,
            wants=command.wants,
            via=command.via,
            at=command.now,
        )
    ]


def answer_back(command: AnswerBack, state: State) -> list[ApprovalEvent]:
    """Answer what was asked back; it waits for its approvers again, and the clock runs on."""
    pending = refuse_unless_pending(state)
    asked = pending.asked
    question = asked.course.asked_back
    if question is None or question.question_id != command.question_id:
        if command.question_id in asked.course.questions:
            return []
        raise Refused("not_asked_back", "Nobody has asked this. Load the request again and look.")
    if not command.as_admin and command.by.email != asked.about.requester.email:
        raise Refused(
            "not_the_requester",
            f"Only {asked.about.requester.email}, who was asked, can answer this.",
        )
    return [
        AnsweredBack(
            question_id=command.question_id,
            by=command.by,
            text=command.text,
            expires_at=command.expires_at,
            at=command.now,
        )
    ]


def revise(command: ReviseApproval, state: State) -> list[ApprovalEvent]:
    """Change what is asked: a new revision, to which earlier answers do not count."""
    pending = refuse_unless_pending(state)
    about = pending.asked.about
    if about.source is not None:
        raise Refused(
            "not_the_requester",
            f"This mirrors a record of {about.source.name}: change it there, and it changes here.",
        )
    if not command.as_admin and command.by.email != about.requester.email:
        raise Refused(
            "not_the_requester", f"Only {about.requester.email}, who asked, can change this."
        )
    same_reason = command.ask.reason in (None, pending.asked.reason)
    if same_reason and not content_changed(command.ask, pending):
        return []
    return revised(command.ask, pending, by=command.by)
