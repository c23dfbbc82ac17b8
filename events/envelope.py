"""A fact with its place in the store: what the log carries beside the fact itself."""

from dataclasses import dataclass
from datetime import datetime

from events.approval import ApprovalEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event as it was stored.

    `version` counts from 1 within the approval's stream; `data` is the JSON exactly as written.
    """

    workspace: str
    approval_id: str
    version: int
    event: ApprovalEvent
    type: str
    schema_version: int
    data: bytes
    command_id: str
    recorded_at: datetime

    @property
    def event_id(self) -> str:
        """The id that is the same on every delivery of this event."""
        return f"{self.approval_id}.{self.version}"
