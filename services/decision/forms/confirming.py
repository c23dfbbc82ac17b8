"""Has answers confirmed by a passkey where that is demanded; adds and removes passkeys."""

from dataclasses import replace
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Message

from services.decision.answering import ANSWERS, Answering
from services.decision.forms.fields import FORM, read_form, text_in
from services.decision.forms.guarding import Guard, current
from services.decision.forms.ports import Fields, PostingAsSomebody, Shows
from services.identity.passkeys import ADD, DECIDE, REMOVE, NotConfirmed, Passkey, Passkeys, Wanted
from services.web.problems import Problem
from services.web.session import Session, Sessions
from services.web.throttle import Throttle

ATTEMPTS = 30
"""How often in a minute somebody may have something confirmed."""
MAX_NAME = 60


def confirming_router(confirming: "Confirming", guard: Guard) -> APIRouter:
    """Return the routes of the forms about passkeys."""
    router = APIRouter()
    for path, theirs in (
        ("/passkeys", confirming.add),
        ("/passkeys/new", confirming.new),
        ("/passkeys/confirmed", confirming.confirmed),
        ("/passkeys/{passkey_id}/remove", confirming.remove),
    ):
        endpoint = guard.guarded(guard.for_somebody(theirs))
        router.add_route(path, endpoint, methods=["POST"], include_in_schema=False)
    return router


class Confirming:
    """The forms about passkeys; `decide` takes an answer that was confirmed."""

    def __init__(
        self,
        answers: Answering,
        passkeys: Passkeys,
        pages: Shows,
        sessions: Sessions,
        decide: PostingAsSomebody,
    ) -> None:
        self._answers = answers
        self._passkeys = passkeys
        self._pages = pages
        self._sessions = sessions
        self._decide = decide
        self._throttle = Throttle(ATTEMPTS, 60.0)

    async def confirm_answer(
        self, request: Request, me: Session, approval_id: str, fields: Fields
    ) -> Response | None:
        """Return the page that has an answer confirmed; None for somebody without a passkey.

        What is confirmed is the form as it was sent: to this approval, this revision, this way.
        """
        if not self._passkeys.possible or not await self._passkeys.of(me):
            return None
        wanted = Wanted(DECIDE, approval_id, urlencode(fields))
        view = await current(self._answers, me, approval_id)
        outcome = ANSWERS.get(fields["decision"].strip().lower())
        verb = "approve" if outcome == "approved" else "deny"
        return await self._ask(request, me, wanted, f"Your answer, {verb}: {view.title}")

    async def new(self, request: Request, me: Session) -> Response:
        """Begin to add a passkey: whoever has one confirms that with it."""
        await read_form(request)
        self._refuse_impossible()
        if await self._passkeys.of(me):
            return await self._ask(request, me, Wanted(ADD), "Another passkey")
        return await self._adding(request, me)

    async def add(self, request: Request, me: Session) -> Response:
        """Keep the passkey that the browser made."""
        self._throttle.take(me.email)
        fields = await read_form(request, required=("credential",), optional=("name",))
        name = text_in(fields, "name", MAX_NAME) or "Passkey"
        try:
            await self._passkeys.add(me, self._session(request), fields["credential"], name)
        except NotConfirmed as error:
            return await self._refused(me, error)
        response = _redirect("/passkeys")
        await self._sessions.renew(request, response, me)
        return response

    async def remove(self, request: Request, me: Session) -> Response:
        """Begin to remove a passkey: confirmed with one of those that are there."""
        await read_form(request)
        self._refuse_impossible()
        passkey = await self._found(me, request.path_params["passkey_id"])
        return await self._ask(
            request, me, Wanted(REMOVE, passkey.id), f"Removing the passkey {passkey.name}"
        )

    async def confirmed(self, request: Request, me: Session) -> Response:
        """Do what was confirmed."""
        self._throttle.take(me.email)
        fields = await read_form(request, required=("credential",))
        try:
            wanted = await self._passkeys.confirmed(
                me, self._session(request), fields["credential"]
            )
        except NotConfirmed as error:
            return await self._refused(me, error)
        match wanted.what:
            case "add":
                return await self._adding(request, me)
            case "remove":
                await self._passkeys.remove(me, wanted.about)
                response: Response = _redirect("/passkeys")
            case _:
                again = _replayed(request, wanted)
                response = await self._decide(again, replace(me, assurance="step_up"))
        await self._sessions.renew(request, response, me)
        return response

    async def _adding(self, request: Request, me: Session) -> Response:
        options = await self._passkeys.ask_to_add(me, self._session(request))
        return self._pages.render("passkey_new", me, options=options, most=MAX_NAME)

    async def _ask(self, request: Request, me: Session, wanted: Wanted, what: str) -> Response:
        self._throttle.take(me.email)
        session = self._session(request)
        options = await self._passkeys.ask_to_confirm(me, session, wanted)
        back = f"/approvals/{wanted.about}" if wanted.what == DECIDE else "/passkeys"
        return self._pages.render("passkey_confirm", me, options=options, what=what, back=back)

    async def _refused(self, me: Session, error: NotConfirmed) -> Response:
        return self._pages.render(
            "passkeys",
            me,
            status=422,
            passkeys=await self._passkeys.of(me),
            possible=self._passkeys.possible,
            alert=str(error),
        )

    async def _found(self, me: Session, passkey_id: str) -> Passkey:
        for one in await self._passkeys.of(me):
            if one.id == passkey_id:
                return one
        raise Problem(404, "not_found", "You have no such passkey.")

    def _refuse_impossible(self) -> None:
        if not self._passkeys.possible:
            raise Problem(409, "no_passkeys_here", "Browsers make no passkeys for this address.")

    def _session(self, request: Request) -> bytes:
        return self._sessions.digest(request) or b""


def _replayed(request: Request, wanted: Wanted) -> Request:
    """Return the request that brought an answer first, as it was."""
    body = wanted.form.encode()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [
        (name, value)
        for name, value in request.scope["headers"]
        if name not in (b"content-length", b"content-type")
    ]
    scope = {
        **request.scope,
        "path_params": {"approval_id": wanted.about},
        "headers": [*headers, (b"content-type", FORM.encode())],
    }
    return Request(scope, receive)


def _redirect(path: str) -> Response:
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})
