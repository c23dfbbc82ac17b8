"""What a reader can do with an approval, and the fields for it; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from projections.approval_view import ApprovalView
from services.channels.facts import words
from services.queue.pages.turns import Turn, may_edit
from services.web.payload_form import Kind, form_of

APPROVERS: frozenset[Turn] = frozenset(("answer", "answered"))
REQUESTERS: frozenset[Turn] = frozenset(("own", "question"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A field of a payload as the page shows it."""

    name: str
    label: str
    kind: Kind
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All fields of a payload; `rest` is the JSON of what has no field of its own."""

    fields: tuple[Input, ...]
    rest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """Which forms stand on the page; `edit` and `revise` hold the fields of theirs."""

    decide: bool
    edit: Inputs | None
    ask: bool
    send_back: bool
    pass_on: bool
    revise: Inputs | None
    remind: bool
    withdraw: bool


def actions(view: ApprovalView, turn: Turn) -> Actions:
    """Return what somebody whose turn it is can do."""
    approver, requester = turn in APPROVERS, turn in REQUESTERS
    ours = view.source is None
    return Actions(
        decide=approver,
        edit=inputs(view) if turn == "answer" and may_edit(view) else None,
        ask=turn == "answer" and view.asked_back is None,
        send_back=ours,
        pass_on=turn == "answer",
        revise=inputs(view) if requester and ours else None,
        remind=turn == "own",
        withdraw=requester and ours,
    )


def inputs(view: ApprovalView) -> Inputs | None:
    """Return the fields of an approval's payload; None for a payload that is no object."""
    if not isinstance(view.payload, Mapping):
        return None
    form = form_of(view.payload)
    return Inputs(
        fields=tuple(
            Input(name=one.name, label=words(one.key), kind=one.kind, value=one.value)
            for one in form.fields
        ),
        rest=form.rest,
    )
