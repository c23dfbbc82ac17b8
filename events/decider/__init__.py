"""Every rule of an approval, and nothing else: `decide` turns an ask into facts, or refuses it.

Asking twice yields nothing new: a command that finds its work done decides no facts. The rules
stand in this package by what they are about; this module is the table of them.
"""

from typing import assert_never

from events.approval import ApprovalEvent
from events.commands import (
    AcknowledgeApproval,
    AnswerBack,
    AskBack,
    Command,
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
from events.decider import answering, asking, asking_back, lapsing, observing, routing, telling
from events.decider.asking import is_final
from events.decider.observing import CLOCK_TOLERANCE, content_changed, reopens
from events.decider.refusal import RefusalCode, Refused
from events.state import State, Unknown

__all__ = [
    "CLOCK_TOLERANCE",
    "RefusalCode",
    "Refused",
    "content_changed",
    "decide",
    "is_final",
    "reopens",
]


def decide(command: Command, state: State) -> list[ApprovalEvent]:
    """Return the facts that follow from `command`; raises `Refused` when it may not be."""
    match command:
        case RequestApproval():
            return asking.requested(command) if isinstance(state, Unknown) else []
        case ObservePending():
            return observing.observe_pending(command, state)
        case ObserveSettled():
            return observing.observe_settled(command, state)
        case RecordNotification():
            return telling.record_notification(command, state)
        case RecordNotificationFailure():
            return telling.record_notification_failure(command, state)
        case SubmitDecision():
            return answering.submit_decision(command, state)
        case UndoDecision():
            return answering.undo_decision(command, state)
        case ConfirmWriteBack():
            return answering.confirm_write_back(command, state)
        case FailWriteBack() | ReviseInWriteBack() | SettleInWriteBack():
            return answering.end_write_back(command, state)
        case WithdrawApproval():
            return asking.withdraw(command, state)
        case CommentOnApproval():
            return asking.comment(command, state)
        case SupersedeApproval():
            return asking.supersede(command, state)
        case AcknowledgeApproval():
            return asking.acknowledge(command, state)
        case ExpireApproval():
            return lapsing.expire(command, state)
        case EscalateApproval():
            return lapsing.escalate(command, state)
        case RemindApprovers():
            return lapsing.remind(command, state)
        case ReassignApproval():
            return routing.reassign(command, state)
        case AskBack():
            return asking_back.ask_back(command, state)
        case AnswerBack():
            return asking_back.answer_back(command, state)
        case ReviseApproval():
            return asking_back.revise(command, state)
        case _:
            assert_never(command)
