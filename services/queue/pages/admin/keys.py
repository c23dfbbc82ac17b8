"""The pages of API keys: who has which, a form for a new one, and the one time that it is shown."""

import secrets

from starlette.requests import Request
from starlette.responses import Response

from services.queue.pages.admin.frame import Frame, told_in
from services.queue.pages.admin.ports import KeyViews
from services.queue.pages.paging import cursor_in
from services.web.keys import DECIDING, NewKey
from services.web.scopes import SCOPES
from services.web.session import Session
from services.web.typed import Typed

PAGE = 50


class KeyPages:
    """Shows keys, never what is secret of them."""

    def __init__(self, frame: Frame, keys: KeyViews) -> None:
        self._frame = frame
        self._keys = keys

    async def keys(self, request: Request, me: Session) -> Response:
        """Show the keys, newest first."""
        return await self.listed(me, cursor=cursor_in(request), told=told_in(request))

    async def listed(
        self,
        me: Session,
        *,
        cursor: str | None = None,
        told: str | None = None,
        status: int = 200,
        typed: Typed | None = None,
    ) -> Response:
        """Return the page; `typed` is what was sent by its form, to be shown again."""
        found, older = await self._keys.list(me.workspace, limit=PAGE, cursor=cursor)
        return await self._frame.render(
            "keys",
            me,
            area="keys",
            told=told,
            status=status,
            keys=found,
            cursor=cursor,
            older=older,
            scopes=SCOPES,
            deciding=DECIDING,
            typed=typed,
            once=secrets.token_hex(12),
        )

    async def made(self, me: Session, key: NewKey, principal: str) -> Response:
        """Return the page that shows a key: the only one that ever does."""
        return await self._frame.render("key", me, key=key, principal=principal)
