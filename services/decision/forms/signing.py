"""The forms by which people sign in without an identity provider, and out."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from projections.queries import Filters
from services.decision.forms.fields import read_form
from services.decision.forms.ports import Asked, Shows
from services.settings import DEFAULT_WORKSPACE
from services.web.bodies import address
from services.web.problems import Problem
from services.web.session import Session, Sessions, Way
from services.web.throttle import Throttle, address_of

FROM_ONE_ADDRESS = 60
"""How often in a minute somebody may try to sign in from one place."""
AS_ONE_PERSON = 20
MINUTE_S = 60.0


class Signing:
    """Who is there: anybody who was ever asked, or asked, where the dev login is on."""

    def __init__(self, asked: Asked, pages: Shows, sessions: Sessions) -> None:
        self._asked = asked
        self._pages = pages
        self._sessions = sessions
        self._from_one_address = Throttle(FROM_ONE_ADDRESS, MINUTE_S)
        self._as_one_person = Throttle(AS_ONE_PERSON, MINUTE_S)

    async def login(self, request: Request) -> Response:
        """Sign somebody in."""
        if not self._sessions.dev_login:
            raise Problem(404, "not_found", "There is no sign-in here: see the start page.")
        self._from_one_address.take(address_of(request))
        fields = await read_form(request, required=("email",), optional=("next",))
        following = self._pages.return_to(fields.get("next"))
        email = address(fields["email"], "email")
        self._as_one_person.take(email)
        if not await was_asked(self._asked, DEFAULT_WORKSPACE, email):
            message = f"{email} was never asked for an approval. Choose one of the people below."
            return await self._pages.sign_in(status=422, message=message, then=following)
        response = _redirect(following or "/inbox")
        session = Session(DEFAULT_WORKSPACE, email)
        await self._sessions.start(request, response, session, Way("dev"))
        return response

    async def logout(self, request: Request) -> Response:
        """Sign somebody out."""
        await read_form(request)
        response = _redirect("/")
        await self._sessions.end(request, response)
        return response


async def was_asked(asked: Asked, workspace: str, email: str) -> bool:
    """Tell whether somebody was ever asked for an approval, or asked for one."""
    for filters in (Filters(approver=email), Filters(requester=email)):
        docs = await asked.list(workspace, filters, limit=1, cursor=None)
        if docs.rows:
            return True
    return False


def _redirect(path: str) -> Response:
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})
