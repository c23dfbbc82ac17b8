"""Discord's interactions endpoint: the buttons of a card become decisions and questions."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from events.approval import Outcome, Person
from events.decider import Refused
from events.store import Unavailable, VersionConflict
from projections.approval_view import ApprovalView
from projections.evolving import Gap
from services.channels.discord.buttons import Button
from services.channels.discord.interactions import (
    NotAnInteraction,
    Press,
    done,
    form,
    note,
    pong,
    read_interaction,
)
from services.channels.discord.signature import is_genuine
from services.channels.status import answered
from services.decision.answering import Answer, Answering
from services.decision.changing import Changing
from services.decision.surfaces.cards import Cards
from services.directory import Directories
from services.web.bodies import read_body
from services.web.problems import Problem

ANSWER_S = 2.2
"""Discord waits 3 s. By then an answer is durable, or it is said that this is not known."""
LOOK_S = 0.5

UNKNOWN_BUTTON = "This button is none of Placet's any more. Open Placet instead."
NO_SUCH = "There is no such approval any more."
NO_TEXT = "Nothing was sent: write something first."
CHANGED = "This changed since you saw it. Nothing was sent: answer the newer card, or open Placet."
SLOW = (
    "Placet is slow just now, so it is not known whether this was kept. Open Placet and look "
    "before you answer again."
)
AWAY = "Placet cannot reach its store just now, and nothing is known to be kept. Try again soon."

logger = logging.getLogger(__name__)

Reply = Mapping[str, Any]


class DiscordSurface:
    """Answers Discord; people are known by the user id that the directory has of them.

    Whoever may not answer, or answers what is not so any more, is told why, and nobody else is.
    """

    def __init__(
        self,
        name: str,
        *,
        public_key: str,
        application_id: str,
        workspace: str,
        answering: Answering,
        changing: Changing,
        directories: Directories,
        cards: Cards,
        clock: Callable[[], datetime],
    ) -> None:
        self._name = name
        self._public_key = public_key
        self._application_id = application_id
        self._workspace = workspace
        self._answering = answering
        self._changing = changing
        self._directories = directories
        self._cards = cards
        self._clock = clock
        self._under_way: set[asyncio.Task[Reply]] = set()

    def router(self) -> APIRouter:
        """Return the route."""
        router = APIRouter()
        router.add_route(
            f"/channels/{self._name}/interactions",
            self.take,
            methods=["POST"],
            include_in_schema=False,
        )
        return router

    async def take(self, request: Request) -> Response:
        """Take one interaction; raises `Problem`: 401 unless Discord signed it, 400, 413."""
        body = await read_body(request)
        if not is_genuine(
            self._public_key,
            timestamp=request.headers.get("x-signature-timestamp", ""),
            signature=request.headers.get("x-signature-ed25519", ""),
            body=body,
            now=self._clock(),
        ):
            raise Problem(401, "bad_signature", "Discord did not sign this, or not just now.")
        try:
            press = read_interaction(body)
        except NotAnInteraction as error:
            raise Problem(400, "not_an_interaction", f"This is no interaction: {error}.") from error
        reply = pong() if press is None else await self._in_time(press)
        return Response(msgspec.json.encode(reply), media_type="application/json")

    async def _in_time(self, press: Press) -> Reply:
        if press.application_id != self._application_id:
            raise Problem(401, "another_application", "This is of another Discord application.")
        task = asyncio.create_task(self._reply(press))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=ANSWER_S)
        if task.done():
            return task.result()
        return await self._look(press)

    def _ended(self, task: "asyncio.Task[Reply]") -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("an answer from Discord failed", exc_info=task.exception())

    async def _look(self, press: Press) -> Reply:
        """Say whether an answer is kept whose end is not known yet: its source may be slow."""
        person = self._person(press.user_id)
        if person is None or press.button is None:
            return note(SLOW)
        try:
            async with asyncio.timeout(LOOK_S):
                view = await self._answering.current(self._workspace, press.button.approval_id)
        except (TimeoutError, Unavailable, Gap):
            return note(SLOW)
        return done() if _is_kept(view, person.email) else note(SLOW)

    async def _reply(self, press: Press) -> Reply:
        try:
            return await self._act(press)
        except Gap:
            return note(NO_SUCH)
        except Refused as refused:
            return note(str(refused))
        except Problem as problem:
            return note(problem.detail)
        except (Unavailable, VersionConflict) as error:
            logger.warning("%s", error)
            return note(AWAY)

    async def _act(self, press: Press) -> Reply:
        person = self._person(press.user_id)
        if person is None:
            return note(
                f"Placet does not know this Discord account (user id {press.user_id}). Ask an "
                f"administrator to enter it in the directory under {self._name}. You can answer in "
                "Placet itself."
            )
        button = press.button
        if button is None:
            return note(UNKNOWN_BUTTON)
        if button.action == "approve":
            return await self._decide(press, button, person, "approved", None)
        if press.text is None:
            return await self._form(button)
        text = press.text.strip()
        if not text:
            return note(NO_TEXT)
        if button.action == "deny":
            return await self._decide(press, button, person, "rejected", text)
        revision, _ = await self._shown(button, person.email)
        await self._changing.ask_back(
            self._workspace,
            button.approval_id,
            by=person,
            text=text,
            wants="answer",
            question_id=f"{self._name}-{press.interaction_id}",
            revision=revision,
        )
        return done()

    async def _form(self, button: Button) -> Reply:
        """Ask for words, but for nothing that cannot be answered any more."""
        view = await self._answering.current(self._workspace, button.approval_id)
        if view.status != "pending":
            return note(answered(view))
        return form(button) if button.is_for(view.revision) else note(CHANGED)

    async def _decide(
        self,
        press: Press,
        button: Button,
        person: Person,
        outcome: Outcome,
        reason: str | None,
    ) -> Reply:
        revision, shown = await self._shown(button, person.email)
        await self._answering.decide(
            self._workspace,
            button.approval_id,
            Answer(
                outcome=outcome,
                by=person,
                reason=reason,
                channel=self._name,
                via=None,
                revision=revision,
                assurance="channel",
                shown=shown,
                command_id=f"{self._name}:{press.interaction_id}",
            ),
        )
        return done()

    async def _shown(self, button: Button, email: str) -> tuple[str, str | None]:
        """Return the revision that a button is for, and the digest of what was shown with it."""
        sent = await self._cards.sent(self._workspace, button.approval_id, email, self._name)
        for revision, digest in sent.items():
            if button.is_for(revision):
                return revision, digest or None
        # What was sent may not be written down yet.
        view = await self._answering.current(self._workspace, button.approval_id)
        return (view.revision if button.is_for(view.revision) else button.mark), None

    def _person(self, user_id: str) -> Person | None:
        """Return who has a user id; nobody if several have it."""
        members = self._directories.of(self._workspace).members.values()
        found = [one.person for one in members if one.channels.get(self._name) == user_id]
        return found[0] if len(found) == 1 else None


def _is_kept(view: ApprovalView, email: str) -> bool:
    return view.status != "pending" or any(
        one.answer is not None and email in (one.email, one.answered_by) for one in view.approvers
    )
