"""Where a mail program, or a person, ends the messages on a channel: RFC 8058.

Looking changes nothing. Whoever has the link can end messages, and can do nothing else with it.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from events.store import Unavailable
from services.decision.surfaces.link_page import HEADERS
from services.decision.surfaces.links import Draws
from services.directory.kept_preferences import TooManyPreferences
from services.directory.preferences import Defaults
from services.directory.stopping import Stop, StopLinks
from services.web.problems import Problem

INBOX = "inbox"
UNKNOWN = "This link ends nothing, or not any more."
AWAY = "It could not be done just now: try again in a moment."

logger = logging.getLogger(__name__)


class StopPages:
    """The page of a link that ends messages."""

    def __init__(
        self,
        links: StopLinks,
        draws: Draws,
        defaults: Defaults,
        channels: Sequence[str],
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._links = links
        self._draws = draws
        self._defaults = defaults
        self._channels = [one for one in channels if one != INBOX]
        self._settings = f"{public_url.rstrip('/')}/preferences"
        self._clock = clock

    async def show(self, stop: Stop) -> Response:
        """Ask whether it is meant; changes nothing."""
        said = f"{stop.email} gets digests of what waits, and more, on {stop.channel}."
        return self._page("No more messages?", said, ends=stop.channel)

    async def end(self, stop: Stop) -> Response:
        """End it, whatever the body says: mail programs send one of their own."""
        general = self._defaults.within(stop.workspace).preferences
        await self._links.end(stop, general, self._channels, self._clock())
        said = f"{stop.email} is sent nothing more on {stop.channel}. The inbox still shows it all."
        return self._page("It is ended", said)

    def guarded(
        self, endpoint: Callable[[Stop], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint for whoever has a link; nothing of it tells the log its address."""

        async def guarded(request: Request) -> Response:
            try:
                stop = await self._links.find(request.path_params["token"])
                if stop is None:
                    return self._page("There is nothing here", UNKNOWN, status=404)
                return await endpoint(stop)
            except (Problem, Unavailable, TooManyPreferences) as error:
                logger.warning("messages cannot be ended: %s", error)
            except Exception:
                logger.exception("messages cannot be ended")
            return self._page("Back in a moment", AWAY, status=503)

        return guarded

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        for method, endpoint in (("GET", self.show), ("POST", self.end)):
            router.add_route(
                "/l/stop/{token}",
                self.guarded(endpoint),
                methods=[method],
                include_in_schema=False,
            )
        return router

    def _page(
        self, heading: str, detail: str, *, ends: str | None = None, status: int = 200
    ) -> Response:
        return self._draws.render(
            "stop",
            None,
            status=status,
            headers=HEADERS,
            heading=heading,
            detail=detail,
            ends=ends,
            settings=self._settings,
        )
