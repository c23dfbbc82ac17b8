"""Writes down what an administrator does before it is done, and what came of it after."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.decision.forms.ports import Posting, PostingAsSomebody, Shows
from services.web.actions import Actions, Area, Verb
from services.web.problems import Problem
from services.web.session import Session, Sessions

SIGNED_OUT = "You are signed out: nothing was done. Sign in and do it again."
AGAIN = "This form was sent before, and what it says is done once. Load the page again and look."


class Acting:
    """Lets administrators act."""

    def __init__(
        self,
        actions: Actions,
        pages: Shows,
        sessions: Sessions,
        admit: Callable[[Session], None],
    ) -> None:
        self._actions = actions
        self._pages = pages
        self._sessions = sessions
        self._admit = admit

    def for_admins(self, posting: PostingAsSomebody) -> Posting:
        """Return an endpoint for administrators; others are asked who they are, or told 403."""

        async def endpoint(request: Request) -> Response:
            me = await self._sessions.read(request)
            if me is None:
                area = request.url.path.split("/")[2]
                then = f"/admin/{area}"
                return await self._pages.sign_in(status=401, message=SIGNED_OUT, then=then)
            self._admit(me)
            return await posting(request, me)

        return endpoint

    async def act(
        self,
        me: Session,
        area: Area,
        verb: Verb,
        object_: str,
        doing: Callable[[], Awaitable[str]],
        *,
        detail: str = "",
        once: str | None = None,
    ) -> int:
        """Do something, with who did it written down before, and return its number there.

        `doing` returns what came of it. What it refuses with a `Problem` is written down as not
        done; after any other error it stays unknown. Raises 409 for a form that was sent before.
        """
        number = await self._actions.begin(
            me.workspace,
            by=me.email,
            area=area,
            verb=verb,
            object_=object_,
            detail=detail,
            once=once,
        )
        if number is None:
            raise Problem(409, "sent_before", AGAIN)
        try:
            result = await doing()
        except Problem as problem:
            await self._actions.end(me.workspace, number, done=False, result=problem.detail)
            raise
        await self._actions.end(me.workspace, number, done=True, result=result)
        return number


def back_to(path: str, number: int) -> Response:
    """Send an administrator back to a page, which says what was done."""
    return RedirectResponse(f"{path}?done={number}", 303, {"Cache-Control": "no-store"})
