"""What people press in Slack: whose account it is, what they answer, and what they are told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from events.approval import Outcome, Person
from events.decider import Refused
from events.store import Unavailable, VersionConflict
from projections.approval_view import ApprovalView
from services.channels import ChannelRefused
from services.channels.slack.api import SlackApi
from services.channels.slack.blocks import ANSWER, APPROVE, ASK, DENY, sentence
from services.channels.slack.escaping import plain
from services.channels.slack.interactions import (
    Account,
    Click,
    Submission,
    Unreadable,
    read,
)
from services.channels.slack.modals import OPENS_MODAL, TEXT, modal
from services.channels.slack.people import People
from services.channels.slack.signature import NotSigned, verify
from services.decision.answering import Answer, Answering
from services.decision.changing import Changing
from services.decision.forms.deciding import NO_REASON
from services.decision.surfaces.cards import Cards
from services.directory import Directories
from services.web.bodies import read_body
from services.web.problems import Problem, problem_response, unavailable

# Slack waits 3 s for an answer, and a window opens within 3 s of the click.
LOOKUP_S = 1.2
"""How long it may take to find out whose account it is."""
WAIT_FOR_SOURCE_S = 0.8
OPEN_S = 2.0
PATIENCE_S = 0.3

NO_TEXT = {
    DENY: NO_REASON,
    ASK: "Write what you want to know.",
    ANSWER: "Write an answer first.",
}
AWAY = "Placet cannot reach what it needs just now, so nothing is known to be kept. Try again."
NO_WINDOW = "Slack did not open the window in time. Press the button again, or answer in Placet."
ELSEWHERE = (
    "Your account is of another Slack workspace, which Placet does not know. Answer in Placet."
)
UNKNOWN = (
    "Slack names no confirmed e-mail address for your account, so it cannot be told who you are. "
    "Answer in Placet, or ask an administrator to write your Slack user id into the directory."
)
SEVERAL = (
    "The directory gives your Slack account to several people. Answer in Placet, and ask an "
    "administrator to put that right."
)
ANOTHER = "The directory has another Slack account for {email}. Answer from that one, or in Placet."
_MOST_SENTENCE = 500

logger = logging.getLogger(__name__)


class Stranger(Exception):
    """It cannot be told who it is; the message tells them what to do."""


class Accounts:
    """Whose a Slack account is: as the directory says, or by the address that Slack confirmed.

    Never by a name, which anybody may give themselves.
    """

    def __init__(
        self, name: str, workspace: str, api: SlackApi, people: People, directories: Directories
    ) -> None:
        self._name = name
        self._workspace = workspace
        self._api = api
        self._people = people
        self._directories = directories

    async def person(self, account: Account) -> Person:
        """Return the person; raises `Stranger`, `Unavailable`."""
        try:
            async with asyncio.timeout(LOOKUP_S):
                return await self._person(account)
        except TimeoutError as error:
            raise Unavailable("Slack did not say in time whose account it is.") from error
        except ChannelRefused as error:
            logger.warning("whose account %s is: %s", account.user, error)
            raise Stranger(UNKNOWN) from error

    async def _person(self, account: Account) -> Person:
        team = await self._api.team(patience_s=PATIENCE_S)
        if account.team != team:
            raise Stranger(ELSEWHERE)
        directory = self._directories.of(self._workspace)
        holders = [
            one
            for one in directory.members.values()
            if one.channels.get(self._name) == account.user
        ]
        if len(holders) > 1:
            raise Stranger(SEVERAL)
        if holders:
            return holders[0].person
        profile = await self._people.profile(account.user, patience_s=PATIENCE_S)
        if profile is None or not profile.active or profile.email is None or profile.team != team:
            raise Stranger(UNKNOWN)
        member = directory.find(profile.email)
        if member is not None and member.channels.get(self._name):
            raise Stranger(ANOTHER.format(email=profile.email))
        return directory.known(Person(email=profile.email))


class SlackSurface:
    """Takes the interactions of one Slack app."""

    def __init__(
        self,
        name: str,
        workspace: str,
        *,
        signing_secret: str,
        api: SlackApi,
        accounts: Accounts,
        cards: Cards,
        answering: Answering,
        changing: Changing,
        clock: Callable[[], datetime],
    ) -> None:
        self._name = name
        self._workspace = workspace
        self._signing_secret = signing_secret
        self._api = api
        self._accounts = accounts
        self._cards = cards
        self._answering = answering
        self._changing = changing
        self._clock = clock

    def router(self) -> APIRouter:
        """Return the route that stands as Request URL in the app's settings."""
        router = APIRouter()
        router.add_api_route(
            f"/channels/{self._name}/interactions",
            self.receive,
            methods=["POST"],
            include_in_schema=False,
        )
        return router

    async def receive(self, request: Request) -> Response:
        """Answer an interaction: 200 once what it did is durable, or the person is told why not."""
        body = await read_body(request)
        try:
            verify(self._signing_secret, request.headers, body, self._clock())
        except NotSigned as error:
            raise Problem(401, "signature_invalid", f"{error}.") from error
        try:
            done = read(body)
        except Unreadable as error:
            raise Problem(400, "unreadable", f"{error}.") from error
        match done:
            case None:
                return Response()
            case Click() if done.action in OPENS_MODAL:
                return await self._open(done)
            case Click():
                return await self._pressed(done)
            case Submission():
                return await self._submitted(done)

    async def _open(self, click: Click) -> Response:
        view = modal(click.action, value=click.about.value, about=click.title)
        try:
            async with asyncio.timeout(OPEN_S):
                await self._api.call(
                    "views.open",
                    {"trigger_id": click.trigger, "view": view},
                    patience_s=PATIENCE_S,
                )
        except (ChannelRefused, Unavailable, TimeoutError) as error:
            logger.warning("%s: no window for %s: %s", self._name, click.account.user, error)
            return self._told(click, NO_WINDOW, Response())
        return Response()

    async def _pressed(self, click: Click) -> Response:
        try:
            await self._decide(click, "approved", None)
        except (Refused, Stranger, Problem) as error:
            return self._told(click, _why(error), Response())
        except (Unavailable, VersionConflict) as error:
            logger.warning("%s: a click was not taken: %s", self._name, error)
            return self._told(click, AWAY, problem_response(unavailable(AWAY)))
        return Response()

    async def _submitted(self, submission: Submission) -> Response:
        action = submission.action
        if action in NO_TEXT and not submission.text:
            return _back_to_window(NO_TEXT[action])
        try:
            await self._carry_out(submission)
        except (Refused, Stranger, Problem) as error:
            return _back_to_window(_why(error))
        except (Unavailable, VersionConflict) as error:
            logger.warning("%s: a window was not taken: %s", self._name, error)
            return _back_to_window(AWAY)
        return Response()

    async def _carry_out(self, submission: Submission) -> None:
        text = submission.text
        if submission.action in (APPROVE, DENY):
            outcome: Outcome = "approved" if submission.action == APPROVE else "rejected"
            await self._decide(submission, outcome, text or None)
            return
        by = await self._accounts.person(submission.account)
        await self._worded(submission, by)

    async def _decide(self, sent: Click | Submission, outcome: Outcome, reason: str | None) -> None:
        by, about = await self._accounts.person(sent.account), sent.about
        shown = await self._cards.sent(self._workspace, about.approval_id, by.email, self._name)
        answer = Answer(
            outcome=outcome,
            by=by,
            reason=reason,
            channel=self._name,
            via=None,
            revision=about.revision,
            assurance="channel",
            shown=shown.get(about.revision),
            # A press counts once, however often it is told of.
            command_id=f"{self._name}:{sent.trigger}" if sent.trigger else None,
        )
        await self._answering.decide(
            self._workspace, about.approval_id, answer, wait_s=WAIT_FOR_SOURCE_S
        )

    def _worded(self, submission: Submission, by: Person) -> Awaitable[ApprovalView]:
        about, text = submission.about, submission.text
        if submission.action == ASK:
            return self._changing.ask_back(
                self._workspace,
                about.approval_id,
                by=by,
                text=text,
                wants="answer",
                # A window is submitted once, however often Slack tells of it.
                question_id=f"{self._name} {submission.view}",
                revision=about.revision,
            )
        return self._changing.answer_back(
            self._workspace, about.approval_id, by=by, as_admin=False, text=text
        )

    def _told(self, click: Click, why: str, response: Response) -> Response:
        """Let somebody read a sentence that only they see, once Slack has its answer."""
        response.background = BackgroundTask(self._api.reply, click.reply_to, sentence(why))
        return response


def _why(error: Exception) -> str:
    return error.detail if isinstance(error, Problem) else str(error)


def _back_to_window(why: str) -> Response:
    """Leave the window open with what was typed, and say below it why."""
    errors = {TEXT: plain(why, _MOST_SENTENCE)}
    return JSONResponse({"response_action": "errors", "errors": errors})
