"""The rules of cards: each is noted once, and none after the end."""

from typing import assert_never

from events.approval import ApprovalEvent, ApproverNotified, NotificationFailed
from events.commands import RecordNotification, RecordNotificationFailure
from events.state import Decided, Deciding, Expired, Pending, State, Unknown, Withdrawn


def record_notification(command: RecordNotification, state: State) -> list[ApprovalEvent]:
    """Note a card that was sent, once."""
    match state:
        case Pending() | Deciding():
            card = (command.approver, command.channel, command.revision)
            if card in state.asked.notified:
                return []
            return [
                ApproverNotified(
                    approver=command.approver,
                    channel=command.channel,
                    revision=command.revision,
                    reference=command.reference,
                    card_digest=command.card_digest,
                    at=command.now,
                    perhaps_twice=command.perhaps_twice,
                )
            ]
        case Unknown() | Decided() | Withdrawn() | Expired():
            return []  # settled while the card was on its way; the channel settles the card
        case _:
            assert_never(state)


def record_notification_failure(
    command: RecordNotificationFailure, state: State
) -> list[ApprovalEvent]:
    """Note a card that could not be sent, once for each reason."""
    match state:
        case Pending() | Deciding():
            failure = (command.approver, command.channel, command.revision, command.reason)
            if failure in state.asked.not_notified:
                return []
            return [
                NotificationFailed(
                    approver=command.approver,
                    channel=command.channel,
                    revision=command.revision,
                    reason=command.reason,
                    at=command.now,
                )
            ]
        case Unknown() | Decided() | Withdrawn() | Expired():
            return []
        case _:
            assert_never(state)
