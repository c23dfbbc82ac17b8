"""What a trial of a source file found, for whoever shows it."""

from dataclasses import dataclass, field
from typing import Literal

from events.observation import Observation
from services.sources.messages import Request

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to know about a source; `line` is where in its file, if it has to do with one."""

    level: Level
    sentence: str
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that cannot be mapped, and the line of the file that maps the field at fault."""

    record_id: str | None
    reason: str
    line: int | None


@dataclass(slots=True, kw_only=True)
class TrialReport:
    """What a trial found; `card` is title and body as the first record fills them."""

    source: str
    file: str
    base_url: str
    records: list[Observation] = field(default_factory=list)
    left_out: int = 0
    malformed: list[BadRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    card: tuple[str, str] | None = None
    answer: Request | None = None

    @property
    def passed(self) -> bool:
        """Tell whether the file can be used as it is."""
        return not self.malformed and all(one.level != "error" for one in self.findings)
