"""What the page of a link says, for each way in which things can stand; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from projections.approval_view import ApprovalView
from services.channels.card import Card
from services.channels.plain import line
from services.channels.status import time
from services.decision.surfaces.link_records import Link
from services.decision.surfaces.link_standing import Kind, Standing
from services.web.typed import Typed

HEADERS: Mapping[str, str] = {
    # Its address is a secret: no other page, not even one of ours, may read where somebody was.
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}
STATUS: Mapping[Kind, int] = {
    "open": 200,
    "held": 200,
    "used": 200,
    "undone": 200,
    "sign_in": 401,
    "in_placet": 403,
    "somebody_else": 403,
    "not_asked": 403,
    "older": 409,
    "over": 409,
    "expired": 410,
}
"""What an answer is met with; a look is always 200, but for what is not there any more."""
_HEADINGS: Mapping[Kind, str] = {
    "sign_in": "Sign in to answer",
    "in_placet": "This is answered in Placet itself",
    "held": "Your answer is kept",
    "used": "You have answered",
    "undone": "You took your answer back",
    "over": "Nothing left to answer",
    "older": "This changed since the mail was sent",
    "expired": "This link has expired",
    "not_asked": "Not yours to answer just now",
    "somebody_else": "This link is for somebody else",
}
_MOST_ADDRESS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPage:
    """Everything on the page: `says` explains it, `approve_first` which button comes first.

    `good`: what was wanted was done. `card` is what is asked for, where it may be shown;
    `in_placet` is what the way to the approval's own page is called, where that helps. `confirm`
    asks for a word to be typed; `scanned` says that programs came by.
    """

    heading: str | None
    good: bool = False
    says: str = ""
    card: Card | None = None
    approval_id: str | None = None
    in_placet: str | None = None
    decide: bool = False
    approve_first: bool = True
    undo: bool = False
    confirm: bool = False
    scanned: bool = False
    alert: str | None = None
    typed: Typed | None = None


def link_page(
    link: Link,
    standing: Standing,
    view: ApprovalView,
    card: Card,
    *,
    confirm: bool,
    scanned: bool,
    reader: str | None,
    alert: str | None = None,
    typed: Typed | None = None,
) -> LinkPage:
    """Return the page; `reader` is who is signed in, if anybody is."""
    kind = standing.kind
    return LinkPage(
        heading=_HEADINGS.get(kind),
        good=kind in ("held", "used", "undone"),
        says=_says(kind, link, view, card, reader),
        card=card if standing.may_read else None,
        approval_id=link.approval_id,
        in_placet=_in_placet(kind, reader),
        decide=kind == "open",
        approve_first=link.wanted == "approved",
        undo=standing.may_undo,
        confirm=confirm and kind == "open",
        scanned=scanned and kind in ("open", "sign_in"),
        alert=alert,
        typed=typed,
    )


UNKNOWN = LinkPage(
    heading="This link opens nothing",
    says=(
        "It may have been cut off on its way: copy the whole address from the mail, or open the "
        "request in Placet. Nothing was decided."
    ),
)
AWAY = LinkPage(
    heading="Back in a moment",
    says=(
        "Placet cannot reach its store just now. If you were answering, open the link again and "
        "look: an answer that was kept is shown."
    ),
)


def wrong(detail: str) -> LinkPage:
    """Return the page of a request that cannot be served."""
    return LinkPage(heading="That is not possible", says=detail)


def _in_placet(kind: Kind, reader: str | None) -> str | None:
    """Return what the way to the approval's own page is called, where it leads on."""
    match kind:
        case "sign_in":
            return "Sign in to answer"
        case "in_placet" | "older" | "expired" | "not_asked" | "undone":
            return "Open it in Placet" if reader else "Sign in and open it in Placet"
        case "somebody_else":
            return None
        case "open" | "held" | "used" | "over":
            return "See it in Placet"


def _says(kind: Kind, link: Link, view: ApprovalView, card: Card, reader: str | None) -> str:
    match kind:
        case "open":
            return ""
        case "sign_in":
            return "A link alone does not answer this. Sign in, and it opens with its buttons."
        case "in_placet":
            return "This asks for your second factor, and so it is not answered by a link."
        case "held":
            until = time_of_day(view) if view.held_until is not None else "then"
            return (
                f"You can take it back until {until}. After that it is final, and whoever asked "
                "is told."
            )
        case "used" | "over":
            return card.status
        case "undone":
            return (
                "It waits for you again. This link was for one answer: use the other link of the "
                "mail, or open it in Placet."
            )
        case "older":
            return (
                f"The link was for revision {line(link.revision, _MOST_ADDRESS)}; it is revision "
                f"{line(view.revision, _MOST_ADDRESS)} now, as shown here. Use the links of the "
                "newer mail, or open it in Placet."
            )
        case "expired":
            return (
                f"It was good until {time(link.expires_at)}. Nothing was decided by it. If the "
                "request still waits, it is in your inbox."
            )
        case "not_asked":
            return (
                "It waits for somebody else, or for an answer to a question. If it comes back to "
                "you, you are told."
            )
        case "somebody_else":
            return (
                f"You are signed in as {line(reader or '', _MOST_ADDRESS)}, and nobody answers in "
                "another person's name. Whoever it is for can open it in their own browser."
            )


def time_of_day(view: ApprovalView) -> str:
    """Return until when an answer is held, to the second."""
    return view.held_until.strftime("%H:%M:%S UTC") if view.held_until is not None else ""
