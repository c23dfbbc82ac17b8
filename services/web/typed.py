"""What somebody sent by a form, to be shown on its page again with what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The fields of one form of a page by their names, and for each that is wrong a sentence."""

    form: str
    fields: Mapping[str, str]
    faults: Mapping[str, str] = field(default_factory=dict)
