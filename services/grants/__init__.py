"""People's own accounts at sources that take an answer from nobody else's."""

from dataclasses import dataclass

from services.sources import SourceRefused


@dataclass(frozen=True, slots=True)
class Whose:
    """The account of one person at one source."""

    workspace: str
    source: str
    email: str


class GrantNeeded(SourceRefused):
    """The source is answered by the person's own account only, and there is none that works."""
