"""Signs people in through an identity provider: sends them there, and takes them back.

Both are reached by GET, as the protocol has it; neither touches an approval.
"""

import logging
import re
import secrets

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.decision.forms.guarding import Guard
from services.decision.forms.ports import Asked, Shows
from services.decision.forms.signing import FROM_ONE_ADDRESS, MINUTE_S, was_asked
from services.directory import Directories
from services.identity.accounts import BACK_WITHIN_S, Accounts, Away, BoundElsewhere
from services.identity.provider import Account, NotSignedIn, Provider, ProviderAway
from services.web.problems import Problem, unavailable
from services.web.session import Session, Sessions, Way
from services.web.throttle import Throttle, address_of

PLAIN_COOKIE = "placet_sign_in"
HOST_COOKIE = "__Host-placet_sign_in"
NOT_OURS = (
    "This sign-in was not begun in this browser, or too long ago, or it is over already. "
    "Sign in again."
)
# The address of the page holds the code and the state: it is told to nobody.
_QUIET = {"Referrer-Policy": "no-referrer"}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}")
_ERROR = re.compile(r"[a-z_]{1,60}")
_MOST_CODE = 4096

logger = logging.getLogger(__name__)


def provider_router(by_provider: "ByProvider", guard: Guard) -> APIRouter:
    """Return the routes of the way to the identity provider and back."""
    router = APIRouter()
    for path, endpoint in (
        ("/login/oidc", by_provider.begin),
        ("/login/oidc/callback", by_provider.back),
    ):
        router.add_route(path, guard.as_page(endpoint), methods=["GET"], include_in_schema=False)
    return router


class ByProvider:
    """The way to the identity provider and back."""

    def __init__(
        self,
        provider: Provider,
        accounts: Accounts,
        asked: Asked,
        pages: Shows,
        sessions: Sessions,
        directories: Directories,
    ) -> None:
        self._provider = provider
        self._accounts = accounts
        self._asked = asked
        self._pages = pages
        self._sessions = sessions
        self._directories = directories
        self._throttle = Throttle(FROM_ONE_ADDRESS, MINUTE_S)
        self._cookie = HOST_COOKIE if sessions.secure else PLAIN_COOKIE

    async def begin(self, request: Request) -> Response:
        """Send somebody to the provider; where they wanted to go waits here."""
        if request.method == "HEAD" or request.headers.get("sec-fetch-site") == "cross-site":
            # Nobody is signed in because another site wanted it: they press the button here.
            return _redirect("/")
        self._throttle.take(address_of(request))
        following = self._pages.return_to(request.query_params.get("next"))
        try:
            begun = await self._provider.begin()
        except ProviderAway as error:
            raise _away(error) from error
        # One for all tabs of a browser: each may be on its way.
        browser = self._browser(request) or secrets.token_urlsafe(32)
        await self._accounts.begin(begun, browser=browser, return_to=following)
        response = _redirect(begun.url)
        response.set_cookie(
            self._cookie,
            browser,
            max_age=int(BACK_WITHIN_S),
            httponly=True,
            samesite="lax",
            secure=self._sessions.secure,
            path="/",
        )
        return response

    async def back(self, request: Request) -> Response:
        """Take somebody back, and sign them in if they are who the provider says."""
        if request.method == "HEAD":
            return _redirect("/")
        self._throttle.take(address_of(request))
        away = await self._waited_for(request)
        try:
            email, account = await self._identified(request, away)
        except ProviderAway as error:
            raise _away(error) from error
        except NotSignedIn as error:
            logger.info("sign-in refused: %s", error)
            return await self._refused(str(error), away)
        except BoundElsewhere:
            return await self._refused(
                "This address belongs to another account of the identity provider. Sign in with "
                "that one, or ask an administrator.",
                away,
            )
        response = _redirect(away.return_to or "/inbox")
        workspace = self._accounts.workspace
        way = Way("oidc", account.issuer, account.subject)
        await self._sessions.start(request, response, Session(workspace, email), way)
        response.delete_cookie(
            self._cookie, path="/", secure=self._sessions.secure, httponly=True, samesite="lax"
        )
        return response

    async def _waited_for(self, request: Request) -> Away:
        """Return what was kept of whoever comes back; raises 403 for what we did not begin."""
        state = request.query_params.get("state", "")
        browser = self._browser(request)
        away = None
        if browser is not None and _TOKEN.fullmatch(state):
            away = await self._accounts.take(state, browser=browser)
        issuer = request.query_params.get("iss", self._provider.issuer)
        if away is None or issuer != self._provider.issuer:
            raise Problem(403, "not_our_sign_in", NOT_OURS, headers=_QUIET)
        return away

    async def _identified(self, request: Request, away: Away) -> tuple[str, Account]:
        error = request.query_params.get("error")
        if error is not None:
            said = error if _ERROR.fullmatch(error) else "error"
            raise NotSignedIn(f"The identity provider did not sign you in ({said}).")
        code = request.query_params.get("code", "")
        if not 1 <= len(code) <= _MOST_CODE:
            raise NotSignedIn("The identity provider sent you back without a code.")
        account = await self._provider.finish(code, verifier=away.verifier, nonce=away.nonce)
        return await self._person(account), account

    async def _person(self, account: Account) -> str:
        """Return whom an account signs in; raises `NotSignedIn` and `BoundElsewhere`."""
        bound = await self._accounts.person_of(account)
        if bound is not None and bound != account.email:
            raise NotSignedIn(
                f"This account signed in as {bound}, and the identity provider says now that it "
                f"is {account.email}. Ask an administrator which of the two you are: they run "
                f"`placet release {bound}`."
            )
        workspace = self._accounts.workspace
        directory = self._directories.of(workspace)
        if not directory.is_active(account.email):
            raise NotSignedIn(f"{account.email} is not active any more. Ask an administrator.")
        known = directory.find(account.email) is not None
        if not known and not await was_asked(self._asked, workspace, account.email):
            raise NotSignedIn(
                f"Placet does not know {account.email}: you are not in its directory, and nobody "
                "has asked you for an approval. Ask an administrator to add you."
            )
        if bound is None:
            await self._accounts.bind(account)
        return account.email

    async def _refused(self, message: str, away: Away) -> Response:
        response = await self._pages.sign_in(status=403, message=message, then=away.return_to)
        response.headers.update(_QUIET)
        return response

    def _browser(self, request: Request) -> str | None:
        token = request.cookies.get(self._cookie, "")
        return token if _TOKEN.fullmatch(token) else None


def _away(error: ProviderAway) -> Problem:
    logger.warning("%s", error)
    told = unavailable(f"{error} Nothing was done: try again in a moment.")
    return Problem(503, told.code, told.detail, headers={**_QUIET, "Retry-After": "5"})


def _redirect(url: str) -> RedirectResponse:
    return RedirectResponse(url, 303, {"Cache-Control": "no-store", **_QUIET})
