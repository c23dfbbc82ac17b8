"""Decides for each reading of a record whether the queue needs to hear of it."""

from datetime import datetime, timedelta
from typing import Literal

from events.digest import payload_digest
from events.observation import Observation
from services.poller.known import Known
from services.poller.recent import DOUBTED_AFTER, REMEMBERED_FOR, Recent

CLOCK_TOLERANCE = timedelta(seconds=5)
"""As in `events.decider`: a reading that began before this much later may be an older view."""

Verdict = Literal["publish", "skip", "read"]


def judge(
    observation: Observation,
    known: Known | None,
    recent: Recent,
    now: datetime,
    *,
    sweeping: bool,
) -> Verdict:
    """Return what to do: publish it, leave it, or read the record by itself first.

    A sweep trusts less that what was published arrived, so that a broker that lost its data heals.
    """
    within = DOUBTED_AFTER if sweeping else REMEMBERED_FOR
    if observation.state != "pending":
        if known is None or known.status != "pending":
            # While it is being decided, the write-back alone tells our answer from another's.
            return "skip"
        return "skip" if recent.said(observation, now, within) else "publish"
    if known is not None and known.final:
        return _pending_again(observation, known, recent, now, within)
    if known is not None and _same(observation, known):
        return "skip"
    return "skip" if recent.said(observation, now, within) else "publish"


def _pending_again(
    observation: Observation, known: Known, recent: Recent, now: datetime, within: timedelta
) -> Verdict:
    """Tell a new round from a listing that is older than the answer."""
    if not is_newer(observation, known):
        return "skip"
    said = recent.said(observation, now, within)
    if said is not None and (
        known.settled_at is None or said.read_at > known.settled_at + CLOCK_TOLERANCE
    ):
        return "skip"  # the new round is on its way already
    return "read"


def is_newer(observation: Observation, known: Known) -> bool:
    """Tell whether the reading surely began after the queue settled the record."""
    return known.settled_at is None or observation.read_at > known.settled_at + CLOCK_TOLERANCE


def _same(observation: Observation, known: Known) -> bool:
    if observation.revision != known.revision:
        return False
    if known.payload_digest is None or observation.content is None:
        return True
    return payload_digest(observation.content.payload) == known.payload_digest
