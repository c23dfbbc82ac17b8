"""Sessions of people in a browser, and the refusal of requests that another site sent."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from services.web.problems import Problem

COOKIE = "placet_session"
LASTS_S = 12 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, to which workspace."""

    workspace: str
    email: str


class Sessions:
    """Signs and reads session cookies; the dev login is the only way in so far."""

    def __init__(self, secret: bytes, *, dev_login: bool, secure: bool) -> None:
        self._secret = secret
        self.dev_login = dev_login
        self._secure = secure

    def start(self, response: Response, session: Session) -> None:
        """Sign somebody in."""
        until = str(int(time.time()) + LASTS_S)
        parts = [part.encode().hex() for part in (session.workspace, session.email, until)]
        body = ".".join(parts)
        response.set_cookie(
            COOKIE,
            f"{body}.{self._sign(body)}",
            max_age=LASTS_S,
            httponly=True,
            samesite="lax",
            secure=self._secure,
            path="/",
        )

    def end(self, response: Response) -> None:
        """Sign somebody out."""
        response.delete_cookie(COOKIE, path="/")

    def read(self, request: Request) -> Session | None:
        """Return who is signed in; None for a cookie that is missing, altered or too old."""
        body, _, signature = request.cookies.get(COOKIE, "").rpartition(".")
        if not body or not hmac.compare_digest(signature.encode(), self._sign(body).encode()):
            return None
        workspace, address, until = (bytes.fromhex(part).decode() for part in body.split("."))
        return Session(workspace, address) if int(until) > time.time() else None

    def _sign(self, body: str) -> str:
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()


def refuse_cross_site(request: Request) -> None:
    """Raise 403 for a form that another site sent, told by Sec-Fetch-Site, or else by Origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        allowed = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not allowed:
        raise Problem(403, "cross_site", "This form was sent by another site. Open Placet itself.")
