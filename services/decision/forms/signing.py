"""The forms by which people sign in and out."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from projections.queries import Filters
from services.decision.forms.fields import read_form
from services.decision.forms.ports import Asked, Shows
from services.settings import DEFAULT_WORKSPACE
from services.web.bodies import address
from services.web.problems import Problem
from services.web.session import Session, Sessions


class Signing:
    """Who is there: anybody who was ever asked, or asked, where the dev login is on."""

    def __init__(self, asked: Asked, pages: Shows, sessions: Sessions) -> None:
        self._asked = asked
        self._pages = pages
        self._sessions = sessions

    async def login(self, request: Request) -> Response:
        """Sign somebody in."""
        if not self._sessions.dev_login:
            raise Problem(404, "not_found", "Sign-in is not set up: see the start page.")
        fields = await read_form(request, required=("email",), optional=("next",))
        following = self._pages.return_to(fields.get("next"))
        email = address(fields["email"], "email")
        if not await self._known(email):
            message = f"{email} was never asked for an approval. Choose one of the people below."
            return await self._pages.sign_in(status=422, message=message, then=following)
        response = _redirect(following or "/inbox")
        self._sessions.start(response, Session(DEFAULT_WORKSPACE, email))
        return response

    async def logout(self, request: Request) -> Response:
        """Sign somebody out."""
        await read_form(request)
        response = _redirect("/")
        self._sessions.end(response)
        return response

    async def _known(self, email: str) -> bool:
        for filters in (Filters(approver=email), Filters(requester=email)):
            docs = await self._asked.list(DEFAULT_WORKSPACE, filters, limit=1, cursor=None)
            if docs.rows:
                return True
        return False


def _redirect(path: str) -> Response:
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})
