"""What each tool takes: the shapes that are checked, and that a model reads as JSON Schema."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from services.mcp.placet_api import Refused

LONGEST_WAIT_S = 50
"""Below the minute after which clients and proxies give up."""
MOST_LISTED = 50
LONGEST_ERROR = 500

S = TypeVar("S", bound=msgspec.Struct)

ApprovalId = Annotated[
    str,
    msgspec.Meta(pattern="^[0-9A-Za-z]{27}$", description="The approval's id: 27 characters."),
]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Reason = Annotated[str, msgspec.Meta(max_length=10_000)]
Status = Literal["pending", "deciding", "approved", "rejected", "withdrawn", "expired"]
Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST_LISTED, description="How many at the most.")]
Cursor = Annotated[
    str,
    msgspec.Meta(max_length=200, description="next_cursor of the page before, for the next one."),
]


class Link(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An item elsewhere that belongs to the request, such as an issue."""

    kind: Name
    id: Name
    url: Annotated[str, msgspec.Meta(max_length=2_000, pattern=r"^https?://")] | None = None


class Ask(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A request for an approval."""

    type: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=200,
            description="What kind of approval: one that this Placet names, such as bulk_send.",
        ),
    ]
    title: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=500,
            description="What the person is asked to allow, in one line.",
        ),
    ]
    payload: Annotated[
        dict[str, Any],
        msgspec.Meta(
            description="The exact arguments of what would be done: what is approved is this."
        ),
    ] = {}
    approvers: (
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=3, max_length=254)]],
            msgspec.Meta(
                min_length=1,
                max_length=50,
                description="Who is asked, by e-mail address. Leave it out where the type has "
                "approvers of its own.",
            ),
        ]
        | None
    ) = None
    reason: (
        Annotated[
            str, msgspec.Meta(max_length=10_000, description="Why it is asked, for the approver.")
        ]
        | None
    ) = None
    urgency: Literal["low", "medium", "high"] | None = None
    expires_in: (
        Annotated[int, msgspec.Meta(ge=1, le=31_622_400, description="Seconds until it expires.")]
        | None
    ) = None
    subject: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=1,
                max_length=200,
                description="What it is about, such as plan:42. A newer revision of the same "
                "subject replaces an older request that is still pending.",
            ),
        ]
        | None
    ) = None
    revision: (
        Annotated[
            str,
            msgspec.Meta(min_length=1, max_length=200, description="The subject's revision."),
        ]
        | None
    ) = None
    links: Annotated[list[Link], msgspec.Meta(max_length=50)] | None = None
    checkpoint_name: Name | None = None
    execution_id: Name | None = None
    agent_id: Name | None = None
    editable: (
        Annotated[
            bool, msgspec.Meta(description="The approver may change the payload and approve that.")
        ]
        | None
    ) = None
    supersede_on_comment: (
        Annotated[
            bool, msgspec.Meta(description="A later comment by a person withdraws the request.")
        ]
        | None
    ) = None
    idempotency_key: (
        Annotated[
            str,
            msgspec.Meta(
                min_length=1,
                max_length=255,
                # It travels in a header.
                pattern="^[!-~]([ -~]*[!-~])?$",
                description="The same key and arguments again give the same approval, whatever "
                "became of it. Without one, asking the same again on the same day gives the "
                "same approval while it is open, and a new one afterwards.",
            ),
        ]
        | None
    ) = None


class One(msgspec.Struct, forbid_unknown_fields=True):
    """One approval."""

    approval_id: ApprovalId


class Wait(msgspec.Struct, forbid_unknown_fields=True):
    """One approval, and how long to wait for it."""

    approval_id: ApprovalId
    timeout_s: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=LONGEST_WAIT_S, description="Seconds to wait; it answers at once when final."
        ),
    ] = 30


class Cancel(msgspec.Struct, forbid_unknown_fields=True):
    """One request, and why it is recalled."""

    approval_id: ApprovalId
    reason: Reason | None = None


class Reply(msgspec.Struct, forbid_unknown_fields=True):
    """An answer to what an approver asked back."""

    approval_id: ApprovalId
    question_id: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=600,
            description="asked_back.question_id: the question that this answers.",
        ),
    ]
    text: Annotated[
        str, msgspec.Meta(min_length=1, max_length=10_000, description="The answer, in words.")
    ]
    payload: (
        Annotated[
            dict[str, Any],
            msgspec.Meta(
                description="Only to change what is asked for: the whole payload as it is to be "
                "from now on. It makes a new revision, and everybody answers anew."
            ),
        ]
        | None
    ) = None


class Mine(msgspec.Struct, forbid_unknown_fields=True):
    """Which of one's own requests."""

    status: Status | None = None
    limit: Limit = 20
    cursor: Cursor | None = None


class Pending(msgspec.Struct, forbid_unknown_fields=True):
    """Which part of the queue."""

    limit: Limit = 20
    cursor: Cursor | None = None


class Decide(msgspec.Struct, forbid_unknown_fields=True):
    """An answer to one approval, as it was seen."""

    approval_id: ApprovalId
    decision: Literal["approve", "deny"]
    revision: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=200,
            description="The revision that the person saw. A changed one is refused.",
        ),
    ]
    reason: (
        Annotated[
            str,
            msgspec.Meta(max_length=10_000, description="The person's own words, for who asked."),
        ]
        | None
    ) = None


class Question(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A question to whoever asked, about one approval as it was seen."""

    approval_id: ApprovalId
    text: Annotated[
        str,
        msgspec.Meta(
            min_length=1, max_length=10_000, description="The person's own words, for who asked."
        ),
    ]
    wants: Annotated[
        Literal["answer", "changes"],
        msgspec.Meta(description="changes: return it, for the requester to change the payload."),
    ] = "answer"
    revision: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=200,
            description="The revision that the person saw. A changed one is refused.",
        ),
    ]


def read_arguments(given: Mapping[str, Any] | None, kind: type[S]) -> S:
    """Return what a tool was called with; raises `Refused` naming the argument that is wrong."""
    try:
        return msgspec.convert(dict(given or {}), kind)
    except msgspec.ValidationError as error:
        raise Refused(
            f"Nothing was done, because of the arguments: {str(error)[:LONGEST_ERROR]}. "
            "Correct them as the tool's schema says and call it again."
        ) from error


def object_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a shape with the object itself at the root, as MCP wants it."""
    schema = msgspec.json.schema(kind)
    definitions = dict(schema["$defs"])
    root: dict[str, Any] = definitions.pop(str(schema["$ref"]).rpartition("/")[2])
    return root | ({"$defs": definitions} if definitions else {})
