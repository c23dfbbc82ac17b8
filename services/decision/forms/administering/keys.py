"""The forms by which administrators make and revoke API keys."""

import re
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from services.decision.forms.administering.acting import Acting, back_to
from services.decision.forms.administering.ports import ShowsKeys
from services.decision.forms.fields import once, read_form, text_in
from services.decision.forms.ports import Fields
from services.web.emails import NotAnAddress, email
from services.web.keys import DECIDING, Keys, NewKey
from services.web.problems import Problem
from services.web.scopes import SCOPES, Scope
from services.web.session import Session
from services.web.typed import Typed

MAX_FIELD = 254
MAX_NAME = 200
MOST_DAYS = 3_660
NO_SCOPE = "Choose at least one: a key that may nothing opens nothing."
AGENT = (
    f"A program that acts by itself never decides: leave out {', '.join(sorted(DECIDING))}, "
    "or do not say that it is one."
)
_BOXES = tuple(f"scope:{scope}" for scope in SCOPES)
_ID = re.compile(r"[0-9A-Za-z]{1,40}")


class KeyForms:
    """Takes the forms of the page of keys."""

    def __init__(self, keys: Keys, acting: Acting, pages: ShowsKeys) -> None:
        self._keys = keys
        self._acting = acting
        self._pages = pages

    async def create(self, request: Request, me: Session) -> Response:
        """Make a key and show it, on this answer and never again."""
        fields = await read_form(
            request, required=("principal", "once"), optional=("name", "days", "agent", *_BOXES)
        )
        mark = f"key {me.email} {once(fields, 'once')}"
        name = text_in(fields, "name", MAX_NAME)
        scopes: list[Scope] = [scope for scope in SCOPES if f"scope:{scope}" in fields]
        agent = "agent" in fields
        faults: dict[str, str] = {}
        principal = _principal(fields, faults)
        days = _days(fields, faults)
        if not scopes:
            faults["scopes"] = NO_SCOPE
        elif agent and not DECIDING.isdisjoint(scopes):
            faults["scopes"] = AGENT
        if faults:
            typed = Typed(form="key", fields=fields, faults=faults)
            return await self._pages.listed(me, status=422, typed=typed)
        made: list[NewKey] = []

        async def done() -> str:
            key = await self._keys.create(
                me.workspace,
                principal=principal,
                name=name,
                scopes=scopes,
                expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
                agent=agent,
            )
            made.append(key)
            return key.key_id

        said = f", which may {', '.join(scopes)}" + (", for an agent" if agent else "")
        await self._acting.act(me, "keys", "create_key", principal, done, detail=said, once=mark)
        return await self._pages.made(me, made[0], principal)

    async def revoke(self, request: Request, me: Session) -> Response:
        """End a key."""
        await read_form(request)
        key_id = request.path_params["key_id"]
        if not _ID.fullmatch(key_id):
            raise _no_key()

        async def done() -> str:
            if not await self._keys.revoke(me.workspace, key_id):
                raise _no_key()
            return ""

        number = await self._acting.act(me, "keys", "revoke_key", key_id, done)
        return back_to("/admin/keys", number)


def _no_key() -> Problem:
    return Problem(404, "not_found", "There is no open key by this name.")


def _principal(fields: Fields, faults: dict[str, str]) -> str:
    try:
        return email(text_in(fields, "principal", MAX_FIELD))
    except NotAnAddress as error:
        faults["principal"] = f"{error}."
        return ""


def _days(fields: Fields, faults: dict[str, str]) -> int | None:
    text = text_in(fields, "days", MAX_FIELD)
    if not text:
        return None
    short = len(text) <= len(str(MOST_DAYS))
    if short and text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_DAYS:
        return int(text)
    faults["days"] = f"A number of days from 1 to {MOST_DAYS:,}, or nothing."
    return None
