"""The payload as a form sent it: held to what was shown, and its faults told by the field."""

from collections.abc import Mapping

from events.approval import Json
from events.decider import Refused
from events.digest import NotCanonical, payload_digest
from projections.approval_view import ApprovalView
from services.decision.forms.ports import Fields
from services.web.payload_form import Faulty, field_at, payload_in
from services.web.problems import Problem

LOOK_AGAIN = "This was not kept yet: look at what is marked below."


def changed_payload(view: ApprovalView, fields: Fields) -> dict[str, Json] | None:
    """Return the payload that was sent, None where it is the one that was shown.

    Raises `Refused` where another revision was shown, and `Problem` (422) naming the fields.
    """
    if fields["revision"] != view.revision:
        raise Refused(
            "stale_revision",
            f"This changed since you saw it (revision {fields['revision']}, now {view.revision}). "
            "Look at it again and answer that.",
        )
    if not isinstance(view.payload, Mapping):
        raise Refused("not_editable", "What is asked has no fields that could be changed here.")
    try:
        payload = payload_in(view.payload, fields)
    except Faulty as error:
        raise _look_again(error.faults) from error
    try:
        digest = payload_digest(payload)
    except NotCanonical as error:
        raise Problem(422, "invalid", str(error)) from error
    return None if digest == view.payload_digest else payload


def by_field(problem: Problem, payload: Json) -> Problem:
    """Return a problem of a payload with the fields in which its faults were sent."""
    faults: dict[str, str] = {}
    for error in problem.more.get("errors", ()):
        pointer = error["pointer"]
        name = field_at(pointer, payload) if isinstance(payload, Mapping) else None
        if name is not None:
            detail = error["detail"].removeprefix(f"{pointer.removeprefix('/')}: ")
            faults.setdefault(name, detail)
    return _look_again(faults) if faults else problem


def _look_again(faults: Mapping[str, str]) -> Problem:
    errors = [{"pointer": f"/{name}", "detail": fault} for name, fault in faults.items()]
    return Problem(422, "invalid", LOOK_AGAIN, errors=errors)
