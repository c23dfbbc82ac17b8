"""The composition root: puts services together from settings, and runs them until told to stop."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from services.bootstrap.contract import describe
from services.bootstrap.parts import Parts, opened
from services.bootstrap.serving import serving
from services.bootstrap.wiring import WIRES
from services.config import Config
from services.settings import Settings
from services.web.app import make_app


@asynccontextmanager
async def running(settings: Settings, config: Config, names: Sequence[str]) -> AsyncIterator[Parts]:
    """Run some services in this process while the context lasts.

    Raises `HalfConfigured` and `Unavailable` before anything runs.
    """
    async with opened(settings, config) as parts:
        for name in dict.fromkeys(names):
            WIRES[name](parts)
        app = make_app(parts.routers)
        describe(app)
        only_https = urlsplit(settings.public_url).scheme == "https"
        async with serving(app, settings.host, settings.port, only_https=only_https):
            try:
                yield parts
            finally:
                parts.closing.set()
