"""What a button carries: what it does, for which approval, and which revision it was drawn for."""

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, get_args

Action = Literal["approve", "deny", "ask"]

_AS_IT_IS = re.compile(r"[!-}]{1,60}")
"""Revisions that fit, with room to spare, and do not begin as a digest does."""
_CARRIED = re.compile(r"(?P<action>[a-z]+):(?P<approval_id>[0-9A-Za-z]{27}):(?P<mark>[!-~]{1,60})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """One button; `mark` stands for the revision: itself, or its digest where it is too long."""

    action: Action
    approval_id: str
    mark: str

    def is_for(self, revision: str) -> bool:
        """Tell whether it was drawn for a revision."""
        return self.mark == mark_of(revision)

    def __str__(self) -> str:
        return f"{self.action}:{self.approval_id}:{self.mark}"


def button(action: Action, approval_id: str, revision: str) -> str:
    """Return the `custom_id` of a button, 1 to 100 characters."""
    return str(Button(action=action, approval_id=approval_id, mark=mark_of(revision)))


def read_button(custom_id: str) -> Button | None:
    """Return what a `custom_id` says; None for one that is none of ours."""
    found = _CARRIED.fullmatch(custom_id)
    if found is None:
        return None
    for action in get_args(Action):
        if found["action"] == action:
            return Button(action=action, approval_id=found["approval_id"], mark=found["mark"])
    return None


def mark_of(revision: str) -> str:
    """Return what stands for a revision on a button."""
    if _AS_IT_IS.fullmatch(revision):
        return revision
    return "~" + hashlib.sha256(revision.encode("utf-8", "surrogatepass")).hexdigest()[:40]
