"""What people send from the pages: who they are, their answers, questions and comments."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter

from services.decision.answering import Answering
from services.decision.changing import Changing
from services.decision.forms.confirming import Confirming, confirming_router
from services.decision.forms.deciding import Deciding
from services.decision.forms.delegating import Delegating
from services.decision.forms.fields import MAX_TEXT
from services.decision.forms.going_back import GoingBack
from services.decision.forms.guarding import Guard
from services.decision.forms.ports import Asked, Delegations, Shows
from services.decision.forms.shortcuts import Shortcuts
from services.decision.forms.signing import Signing
from services.decision.forms.together import Together
from services.directory import Directories
from services.identity.passkeys import Passkeys
from services.web.session import Sessions

__all__ = ["MAX_TEXT", "forms_router"]


def forms_router(
    answers: Answering,
    changing: Changing,
    asked: Asked,
    pages: Shows,
    sessions: Sessions,
    directories: Directories,
    delegations: Delegations,
    clock: Callable[[], datetime],
    passkeys: Passkeys | None = None,
) -> APIRouter:
    """Return the routes that take forms: each refuses what another site sent."""
    guard = Guard(pages, sessions)
    signing = Signing(asked, pages, sessions)
    deciding = Deciding(answers, pages)
    together = Together(answers, pages)
    shortcuts = Shortcuts(pages)
    going_back = GoingBack(answers, changing, pages)
    delegating = Delegating(delegations, directories, pages, clock)
    router = APIRouter()
    for path, posting in (
        ("/login", signing.login),
        ("/logout", signing.logout),
        ("/shortcuts", shortcuts.choose),
    ):
        router.add_route(path, guard.guarded(posting), methods=["POST"], include_in_schema=False)
    for path, theirs in (
        ("/approvals/{approval_id}/decision", deciding.decide),
        ("/approvals/{approval_id}/undo", deciding.undo),
        ("/inbox/decisions", together.decide),
        ("/approvals/{approval_id}/comments", deciding.comment),
        ("/approvals/{approval_id}/questions", going_back.question),
        ("/approvals/{approval_id}/answers", going_back.answer),
        ("/approvals/{approval_id}/revise", going_back.revise),
        ("/approvals/{approval_id}/reassign", going_back.reassign),
        ("/approvals/{approval_id}/remind", going_back.remind),
        ("/approvals/{approval_id}/withdraw", going_back.withdraw),
        ("/delegations", delegating.add),
        ("/delegations/{delegation_id}/end", delegating.end),
    ):
        endpoint = guard.guarded(guard.for_somebody(theirs))
        router.add_route(path, endpoint, methods=["POST"], include_in_schema=False)
    if passkeys is not None:
        guard.confirms = Confirming(answers, passkeys, pages, sessions, deciding.decide)
        router.routes.extend(confirming_router(guard.confirms, guard).routes)
    return router
