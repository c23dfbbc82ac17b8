"""The form by which somebody turns the keyboard shortcuts of this browser off or on."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.decision.forms.fields import read_form
from services.decision.forms.ports import Shows
from services.web.problems import Invalid

COOKIE = "placet_shortcuts"
LASTS_S = 365 * 24 * 3600


class Shortcuts:
    """Keeps the choice in a cookie, which the script of the pages reads."""

    def __init__(self, pages: Shows) -> None:
        self._pages = pages

    async def choose(self, request: Request) -> Response:
        """Keep it, and go back to where the form was sent from."""
        fields = await read_form(request, required=("shortcuts",), optional=("next",))
        if fields["shortcuts"] not in ("on", "off"):
            raise Invalid("shortcuts: on or off.", pointer="/shortcuts")
        following = self._pages.return_to(fields.get("next")) or "/shortcuts"
        response = RedirectResponse(following, 303, {"Cache-Control": "no-store"})
        # No secret, and read by the script: so it is not HttpOnly.
        response.set_cookie(COOKIE, fields["shortcuts"], max_age=LASTS_S, samesite="lax", path="/")
        return response
