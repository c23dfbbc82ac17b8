"""What administrators do to sources, webhooks, parked messages and delegations."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from events.kafka.parking import Parked
from services.decision.forms.administering.acting import Acting, back_to
from services.decision.forms.administering.ports import Desk
from services.decision.forms.fields import bounded, read_form, text_in
from services.decision.forms.ports import Fields
from services.web.actions import Verb
from services.web.problems import Invalid, Problem
from services.web.session import Session

MOST_RETRIED = 100
MAX_REASON = 500
MAX_MESSAGE = 200
PAUSED_ALREADY = "It is paused already."
NOT_PAUSED = "It is not paused."
RESUME_FIRST = "It is paused. Resume it: then it is polled at once."
_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")


class Deeds:
    """Takes the forms of every page but that of keys."""

    def __init__(self, desk: Desk, acting: Acting) -> None:
        self._desk = desk
        self._acting = acting

    async def pause(self, request: Request, me: Session) -> Response:
        """Let nobody poll a source."""
        sources = self._desk.sources
        return await self._to_a_source(
            request,
            me,
            "pause",
            lambda name: sources.pause(me.workspace, name, me.email),
            PAUSED_ALREADY,
        )

    async def resume(self, request: Request, me: Session) -> Response:
        """Let a source be polled again."""
        sources = self._desk.sources
        return await self._to_a_source(
            request, me, "resume", lambda name: sources.resume(me.workspace, name), NOT_PAUSED
        )

    async def poll(self, request: Request, me: Session) -> Response:
        """Have a source polled within seconds."""
        sources = self._desk.sources
        return await self._to_a_source(
            request, me, "poll_now", lambda name: sources.poll_now(me.workspace, name), RESUME_FIRST
        )

    async def _to_a_source(
        self,
        request: Request,
        me: Session,
        verb: Verb,
        doing: Callable[[str], Awaitable[bool]],
        otherwise: str,
    ) -> Response:
        await read_form(request)
        name = request.path_params["source"]
        if (me.workspace, name) not in self._desk.source_names:
            raise Problem(404, "not_found", "There is no such source.")

        async def done() -> str:
            if not await doing(name):
                raise Problem(409, "not_so", otherwise)
            return ""

        number = await self._acting.act(me, "sources", verb, name, done)
        return back_to("/admin/sources", number)

    async def enable(self, request: Request, me: Session) -> Response:
        """Let a disabled endpoint be told again."""
        await read_form(request)
        webhook_id = _in_path(request, "webhook_id")

        async def done() -> str:
            return await self._desk.webhooks.enable(me.workspace, webhook_id)

        number = await self._acting.act(me, "webhooks", "enable", webhook_id, done)
        return back_to(f"/admin/webhooks/{webhook_id}", number)

    async def replay(self, request: Request, me: Session) -> Response:
        """Tell one message again, or everything of a time."""
        fields = await read_form(request, optional=("message", "since", "until"))
        webhook_id = _in_path(request, "webhook_id")
        address = await self._desk.webhooks.address(me.workspace, webhook_id)
        if "message" in fields:
            number = await self._replay_one(me, webhook_id, address, fields)
        else:
            number = await self._replay_time(me, webhook_id, address, fields)
        return back_to(f"/admin/webhooks/{webhook_id}", number)

    async def _replay_one(self, me: Session, webhook_id: str, address: str, fields: Fields) -> int:
        message = text_in(fields, "message", MAX_MESSAGE)

        async def done() -> str:
            if not await self._desk.webhooks.replay(me.workspace, webhook_id, message):
                raise Problem(404, "not_found", "It was never to be told that message.")
            return ""

        return await self._acting.act(
            me, "webhooks", "replay", address, done, detail=f"message {message}"
        )

    async def _replay_time(self, me: Session, webhook_id: str, address: str, fields: Fields) -> int:
        since, until = _time(fields, "since"), _time(fields, "until")
        if until <= since:
            raise Invalid("until: must come after the beginning.", pointer="/until")

        async def done() -> str:
            count, is_part = await self._desk.webhooks.replay_between(
                me.workspace, webhook_id, since, until
            )
            more = " That is not all: replay the rest of the time, too." if is_part else ""
            return f"{count:,} messages.{more}"

        detail = f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
        return await self._acting.act(me, "webhooks", "replay_time", address, done, detail=detail)

    async def retry(self, request: Request, me: Session) -> Response:
        """Send a parked message again; a source's row is read anew by the next sweep."""
        await read_form(request)
        parked = await self._parked(request, me)

        async def done() -> str:
            await self._send_again(parked)
            return ""

        number = await self._acting.act(me, "parked", "retry", _named(parked), done)
        return back_to("/admin/parked", number)

    async def retry_all(self, request: Request, me: Session) -> Response:
        """Send what is parked again, the oldest first."""
        await read_form(request)
        found = await self._desk.parked.preview(
            self._desk.parked_for(me.workspace), limit=MOST_RETRIED
        )

        async def done() -> str:
            for one in found:
                await self._send_again(one)
            return ""

        number = await self._acting.act(
            me, "parked", "retry_all", f"{len(found)} parked messages", done
        )
        return back_to("/admin/parked", number)

    async def discard(self, request: Request, me: Session) -> Response:
        """Say that a parked message is not wanted, and why."""
        fields = await read_form(request, required=("reason",))
        reason = text_in(fields, "reason", MAX_REASON)
        if not reason:
            raise Invalid("reason: say why it is not wanted.", pointer="/reason")
        parked = await self._parked(request, me)

        async def done() -> str:
            if not await self._desk.parked.resolve(parked.parked_id):
                raise _not_parked()
            return ""

        number = await self._acting.act(
            me, "parked", "discard", _named(parked), done, detail=reason
        )
        return back_to("/admin/parked", number)

    async def _parked(self, request: Request, me: Session) -> Parked:
        text = request.path_params["parked_id"]
        if _NUMBER.fullmatch(text):
            found = await self._desk.parked.preview(
                self._desk.parked_for(me.workspace), after=int(text) - 1, limit=1
            )
            if found and found[0].parked_id == int(text):
                return found[0]
        raise _not_parked()

    async def _send_again(self, parked: Parked) -> None:
        message = await self._desk.parked.message(parked.parked_id)
        if message is not None:
            await self._desk.send([message])
        await self._desk.parked.resolve(parked.parked_id)

    async def end_delegation(self, request: Request, me: Session) -> Response:
        """End somebody's delegation now."""
        await read_form(request)
        delegation_id = _in_path(request, "delegation_id")
        found = await self._desk.delegations.find(me.workspace, delegation_id)
        if found is None:
            raise Problem(404, "not_found", "There is no such delegation.")

        async def done() -> str:
            await self._desk.delegations.end(me.workspace, delegation_id, by=me.email)
            return ""

        number = await self._acting.act(
            me, "people", "end_delegation", f"{found.person} to {found.to}", done
        )
        return back_to("/admin/people", number)


def _named(parked: Parked) -> str:
    return f"{parked.parked_id} of {parked.topic}"


def _not_parked() -> Problem:
    return Problem(404, "not_found", "Nothing is parked by this number any more.")


def _in_path(request: Request, name: str) -> str:
    text: str = request.path_params[name]
    if not _ID.fullmatch(text):
        raise Problem(404, "not_found", "There is nothing by this name.")
    return text


def _time(fields: Fields, name: str) -> datetime:
    text = bounded(fields.get(name, ""), name, MAX_MESSAGE)
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid(f"{name}: a time, such as 2026-12-24T08:00.", pointer=f"/{name}") from error
