"""What the forms need of others: who hands over, who knows what was asked, who shows pages."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from events.approval import Outcome
from projections.approval_view import ApprovalView
from projections.queries import Docs, Filters
from services.directory import Delegation
from services.directory.delegations import DelegationView
from services.web.picked import Picked, Result
from services.web.problems import Problem
from services.web.session import Session
from services.web.typed import Typed

Fields = Mapping[str, str]
Posting = Callable[[Request], Awaitable[Response]]
PostingAsSomebody = Callable[[Request, Session], Awaitable[Response]]


class Delegations(Protocol):
    """Who keeps who stands in for whom; all raise `Unavailable`."""

    async def add(
        self, workspace: str, delegation: Delegation, *, by: str, now: datetime
    ) -> DelegationView:
        """Hand over; raises `NotDelegated`."""
        ...

    async def find(self, workspace: str, delegation_id: str) -> DelegationView | None:
        """Return one, None if there is no such one."""
        ...

    async def end(self, workspace: str, delegation_id: str, *, by: str) -> DelegationView | None:
        """End one now."""
        ...


class Asked(Protocol):
    """Who knows what somebody was asked."""

    async def list(
        self, workspace: str, filters: Filters, *, limit: int, cursor: str | None
    ) -> Docs:
        """Return approvals, newest first."""
        ...


class Shows(Protocol):
    """Who renders pages; the composition root knows one that does."""

    async def sign_in(
        self, *, status: int = 200, message: str | None = None, then: str | None = None
    ) -> Response:
        """Return the choice of people."""
        ...

    def render(
        self,
        name: str,
        me: Session | None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """Return a page by its name."""
        ...

    def return_to(self, path: str | None) -> str | None:
        """Return a path if it is one of our pages."""
        ...

    async def approval(
        self,
        me: Session,
        approval_id: str,
        *,
        status: int = 200,
        alert: str | None = None,
        connect: bool = False,
        seen: str | None = None,
        typed: Typed | None = None,
    ) -> Response:
        """Return an approval's page with what went wrong, and with what was typed.

        `connect`: they have to connect an account of theirs first.
        """
        ...

    async def delegations(
        self,
        me: Session,
        *,
        status: int = 200,
        alert: str | None = None,
        typed: Typed | None = None,
    ) -> Response:
        """Return the page of who stands in for whom."""
        ...

    def answered(
        self, view: ApprovalView, *, to_inbox: bool, back: str = "", told: str = "answered"
    ) -> Response:
        """Send somebody who answered on, to the inbox with some parameters or to the approval."""
        ...

    async def sure(
        self,
        me: Session,
        picked: Sequence[Picked],
        outcome: Outcome,
        *,
        back: str = "",
        status: int = 200,
        typed: Typed | None = None,
    ) -> Response:
        """Return the page that asks once more before several are answered together."""
        ...

    async def results(
        self, me: Session, results: Sequence[Result], said: str, back: str
    ) -> Response:
        """Return the page that says what became of each of several."""
        ...

    def done(self, approval_id: str, told: str) -> Response:
        """Send somebody back to an approval, which tells what was done."""
        ...

    async def problem(self, request: Request, problem: Problem) -> Response:
        """Return a problem as a page."""
        ...
