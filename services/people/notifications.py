"""The calls by which people choose how they are told: order, quiet hours, digests, silence."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.directory.kept_preferences import KeptPreferences, TooManyPreferences
from services.directory.postgres import PostgresDirectories
from services.directory.preferences import Defaults, Preferences, said
from services.directory.preferring import NotPreferences, preferences_of
from services.people.listing import MANAGE
from services.people.shapes import NotificationsBody, NotificationsView, Told
from services.web.answers import json_answer, shows, takes
from services.web.app import Authenticate, problems, require
from services.web.bodies import address, read_json, read_json_body
from services.web.calls import Call
from services.web.keys import Principal
from services.web.problems import Invalid, Problem

_bodies = msgspec.json.Decoder(NotificationsBody)


def notifications_router(
    kept: KeptPreferences,
    directories: PostgresDirectories,
    defaults: Defaults,
    channels: Sequence[str],
    authenticate: Authenticate,
    clock: Callable[[], datetime],
) -> APIRouter:
    """Return the routes; `channels` are the names of those that are configured."""
    router = APIRouter(prefix="/v1/people", tags=["people"], route_class=Call)
    caller = Depends(authenticate)

    async def view(workspace: str, email: str, own: Preferences) -> Response:
        directory = await directories.fresh(workspace)
        holds = directory.told(email, defaults.within(workspace).preferences)
        return json_answer(
            NotificationsView(
                email=email,
                own=msgspec.convert(said(own), Told),
                effective=msgspec.convert(said(holds), Told),
                channels=channels,
                changed_at=own.changed_at,
            )
        )

    @router.get(
        "/{email}/notifications",
        summary="How somebody is told of what waits for them",
        description="`own` is what was said here, null where nothing was; `effective` is what "
        "holds, with what `placet.yaml` says beneath it. One's own needs the scope "
        "`approvals:decide`, another's `people:manage`. An address that nobody is known by may "
        "have preferences too.",
        responses={200: shows("NotificationsView", "How they are told."), **problems(422)},
        response_class=Response,
    )
    async def get(email: str, principal: Principal = caller) -> Response:
        person = _allowed(principal, email)
        own = await kept.own(principal.workspace, person)
        return await view(principal.workspace, person, own)

    @router.put(
        "/{email}/notifications",
        summary="Choose how somebody is told",
        description="What is sent takes the place of all that was said before; null, or left out, "
        "is what `placet.yaml` says. `order` names channels, each with a delay where it is to "
        "follow only if the approval still waits: `slack`, `email after 15m`. During "
        "`quiet_hours` cards wait until they end, but for urgent ones; at the times of `digest` "
        "one message lists what waits, in place of a card for each. `silent` leaves the inbox.",
        responses={
            200: shows("NotificationsView", "How they are told from now on."),
            **problems(409, 413, 415, 422),
        },
        openapi_extra=takes("NotificationsBody"),
        response_class=Response,
    )
    async def put(email: str, request: Request, principal: Principal = caller) -> Response:
        person = _allowed(principal, email)
        body = read_json(await read_json_body(request), _bodies)
        try:
            wanted = preferences_of(msgspec.to_builtins(body), channels)
        except NotPreferences as error:
            raise _invalid(error) from error
        try:
            own = await kept.put(
                principal.workspace, person, wanted, by=principal.email, now=clock()
            )
        except TooManyPreferences as error:
            raise Problem(
                409, "too_many_preferences", "This workspace keeps as many as it can."
            ) from error
        return await view(principal.workspace, person, own)

    return router


def _allowed(principal: Principal, email: str) -> str:
    """Return the address; raises 403 unless the key may choose for it, and 422."""
    if not principal.may(MANAGE):
        require(principal, "approvals:decide")
    person = address(email, "email")
    require(principal, "approvals:decide" if person == principal.email else MANAGE)
    return person


def _invalid(error: NotPreferences) -> Problem:
    errors = [
        {
            "pointer": "/" + "/".join(str(part) for part in path),
            "detail": f"{'.'.join(str(part) for part in path)}: {sentence}.",
        }
        for path, sentence in error.faults
    ]
    problem = Invalid(errors[0]["detail"], pointer=errors[0]["pointer"])
    problem.more["errors"] = errors
    return problem
