"""What becomes due of a pending approval, and when: its end, reminders, the next escalation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from events.approval import Reminders, Seat, WorkingHours
from events.course import Course, Pause
from events.decider.lapsing import MOST_REMINDERS
from events.store.database import storable
from projections.approval_view import ApprovalView
from projections.working_hours import add, between, next_open

EXPIRE = "expire"
ESCALATE = "escalate"
REMIND = "remind:"
"""Stands before the address of whoever is to be reminded."""
OFFICE_DAYS = (0, 1, 2, 3, 4)
OFFICE_OPENS, OFFICE_CLOSES = 9 * 60, 17 * 60
"""When somebody may be reminded whose time zone is known, where the policy has no hours."""

Row = tuple[object, ...]


def timer_rows(view: ApprovalView) -> list[Row]:
    """Return what is to become due, each as (workspace, approval id, kind, when).

    What would come after the end is left out. While the requester is asked something, only the
    end remains.
    """
    if view.status != "pending":
        return []
    rows: list[Row] = [(view.workspace, view.id, EXPIRE, view.deadline)]
    course = view.course
    if course is None:
        return rows
    due: dict[str, datetime] = {
        f"{REMIND}{storable(approver)}": at for approver, at in reminders_due(course).items()
    }
    escalation = escalation_due(course)
    if escalation is not None:
        due[ESCALATE] = escalation
    rows.extend(
        (view.workspace, view.id, kind, at) for kind, at in due.items() if at < view.deadline
    )
    return rows


def reminders_due(course: Course) -> Mapping[str, datetime]:
    """Return when the clock reminds whom next, of those who have not answered.

    In the hours of the policy, as they are where that person is.
    """
    reminders = course.policy.reminders
    if reminders is None or course.asked_back is not None:
        return {}
    due = {
        approver: _reminder_due(course, reminders, approver, seat)
        for approver, seat in _asked_first(course).items()
    }
    return {approver: at for approver, at in due.items() if at is not None}


def reminder_due(course: Course, approver: str) -> datetime | None:
    """Return when the clock reminds one person next; None for somebody it does not."""
    reminders = course.policy.reminders
    seat = _asked_first(course).get(approver)
    if reminders is None or course.asked_back is not None or seat is None:
        return None
    return _reminder_due(course, reminders, approver, seat)


def escalation_due(course: Course) -> datetime | None:
    """Return when the step that waits goes to the next rung of the ladder, if there is one."""
    ladder = course.policy.ladder
    if course.asked_back is not None or course.rungs >= len(ladder):
        return None
    rung = ladder[course.rungs]
    return _after(course.opened_at, rung.after_s, course.pauses, course.policy.hours)


def _reminder_due(
    course: Course, reminders: Reminders, approver: str, seat: Seat
) -> datetime | None:
    told = [one.at for one in course.reminders if one.approver == approver]
    if len(told) >= min(reminders.most, MOST_REMINDERS):
        return None
    since = told[-1] if told else max(seat.since or course.opened_at, course.opened_at)
    wait = reminders.every_s if told else reminders.after_s
    hours = _hours_of(seat, course.policy.hours)
    at = _after(since, wait, course.pauses, hours)
    if hours is None and seat.time_zone is not None:
        hours = WorkingHours(
            time_zone=seat.time_zone, days=OFFICE_DAYS, opens=OFFICE_OPENS, closes=OFFICE_CLOSES
        )
    return next_open(at, hours)


def _asked_first(course: Course) -> dict[str, Seat]:
    """Return whom the step waits for, with the seat that each was asked for first."""
    seats: dict[str, Seat] = {}
    for seat in sorted(course.waiting, key=lambda one: one.since or course.opened_at):
        seats.setdefault(seat.holder.email, seat)
    return seats


def _hours_of(seat: Seat, hours: WorkingHours | None) -> WorkingHours | None:
    if hours is None or seat.time_zone is None:
        return hours
    return replace(hours, time_zone=seat.time_zone)


def _after(
    start: datetime, seconds: float, pauses: Sequence[Pause], hours: WorkingHours | None
) -> datetime:
    """Return when so much working time has passed outside of the pauses."""
    left = seconds
    for pause in pauses:
        ran = between(start, pause.begins, hours)
        if ran >= left:
            break
        left -= ran
        start = max(start, pause.ends)
    return add(start, left, hours)
