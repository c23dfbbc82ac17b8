"""The HTTP API: lists, records, decisions, notes, and the switch for faults."""

import base64
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from acme_expenses.bodies import fingerprint, read_json
from acme_expenses.drafts import Change
from acme_expenses.errors import CorrectInputError
from acme_expenses.faults import Faults, Operation
from acme_expenses.fields import Fields
from acme_expenses.intake import (
    cancellation_from,
    change_from,
    decision_from,
    draft_from,
    note_from,
)
from acme_expenses.problems import REFUSALS, problem, refusal
from acme_expenses.records import Report, Status, as_json, etag, note_json
from acme_expenses.store import Position, Store
from acme_expenses.strikes import Strikes
from acme_expenses.times import from_text, to_text
from acme_expenses.writer import Answer, Writer

Handler = Callable[[Request], Awaitable[Response]]

_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_STATUSES = {status.value: status.value for status in Status}


@dataclass(frozen=True, slots=True)
class Setup:
    """How the program was started: the address in links, and the token, if one is asked for."""

    public_url: str
    token: str | None


class Api:
    """The operations of the API on one store."""

    def __init__(self, store: Store, faults: Faults, strikes: Strikes, setup: Setup) -> None:
        self._store = store
        self._faults = faults
        self._strikes = strikes
        self._setup = setup

    def routes(self) -> list[Route]:
        """The routes, each behind the token and the faults."""
        op = Operation
        return [
            self._route(
                "/approvals",
                GET=self._struck(op.LIST, self._list),
                POST=self._struck(op.CREATE, self._create),
            ),
            self._route(
                "/approvals/{id}",
                GET=self._struck(op.GET, self._get),
                PATCH=self._struck(op.EDIT, self._edit),
            ),
            self._route("/approvals/{id}/decision", POST=self._struck(op.DECIDE, self._decide)),
            self._route("/approvals/{id}/notes", POST=self._struck(op.NOTE, self._note)),
            self._route("/approvals/{id}/cancel", POST=self._struck(op.CANCEL, self._cancel)),
            self._route(
                "/faults",
                GET=self._show_faults,
                PUT=self._set_faults,
                DELETE=self._reset_faults,
            ),
            self._route("/faults/struck", GET=self._count_faults),
            Route("/healthz", _healthy, methods=["GET"]),
        ]

    def _route(self, path: str, **handlers: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            if not self._authorized(request):
                return problem(
                    401,
                    "unauthorized",
                    "Send the header Authorization: Bearer with the token of this system.",
                    headers={"WWW-Authenticate": "Bearer"},
                )
            method = "GET" if request.method == "HEAD" else request.method
            try:
                return await handlers[method](request)
            except REFUSALS as error:
                return refusal(error, self._setup.public_url)

        return Route(path, endpoint, methods=list(handlers))

    def _authorized(self, request: Request) -> bool:
        if self._setup.token is None:
            return True
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(token.strip().encode(), self._setup.token.encode())
        return right and scheme.lower() == "bearer"

    def _struck(self, operation: Operation, handler: Handler) -> Handler:
        async def struck(request: Request) -> Response:
            instead = await self._strikes.before(operation)
            if instead is not None:
                return instead
            response = await handler(request)
            return await self._strikes.after(operation, request, response)

        return struck

    async def _list(self, request: Request) -> Response:
        query = Fields(dict(request.query_params), ("status", "cursor", "limit", "updated_since"))
        status = query.choice("status", _STATUSES)
        limit = query.whole("limit", 1, _MAX_LIMIT, _DEFAULT_LIMIT)
        since = query.moment("updated_since")
        after = None if query.blank("cursor") else _position(request.query_params["cursor"])
        if after == ("", ""):
            query.fault("cursor", "is none of this system; start again without one")
        query.check()
        reports, following = self._store.page(
            status=None if status is None else Status(status),
            since=since,
            after=after,
            limit=limit,
        )
        rows = [as_json(report, self._setup.public_url) for report in reports]
        return JSONResponse(
            {
                "records": self._faults.spoil(rows),
                "next_cursor": None if following is None else _cursor(following),
            }
        )

    async def _get(self, request: Request) -> Response:
        report = self._store.read(request.path_params["id"])
        headers = {"ETag": etag(report), "Cache-Control": "no-cache"}
        asked = request.headers.get("if-none-match")
        # Weak comparison, as RFC 9110 (13.1.2) has it for this header.
        if asked is not None and _names(asked.replace("W/", ""), etag(report)):
            return Response(status_code=304, headers=headers)
        return JSONResponse(as_json(report, self._setup.public_url), headers=headers)

    async def _create(self, request: Request) -> Response:
        body = await read_json(request)
        draft = draft_from(body)

        def create(writer: Writer) -> Answer:
            report = writer.create(draft, listed_after=self._faults.lateness())
            answer = self._answer(report, 201)
            answer.headers["Location"] = f"{self._setup.public_url}/approvals/{report.id}"
            return answer

        return self._once(request, body, create)

    async def _edit(self, request: Request) -> Response:
        body = await read_json(request)
        report_id = request.path_params["id"]

        def edit(writer: Writer) -> Answer:
            change: Change = change_from(body, self._store.read(report_id).currency)
            return self._answer(writer.edit(report_id, change, _seen(request)))

        return self._once(request, body, edit)

    async def _decide(self, request: Request) -> Response:
        body = await read_json(request)
        settlement = decision_from(body)
        return self._once(
            request,
            body,
            lambda writer: self._answer(
                writer.settle(request.path_params["id"], settlement, _seen(request))
            ),
        )

    async def _cancel(self, request: Request) -> Response:
        body = await read_json(request)
        settlement = cancellation_from(body)
        return self._once(
            request,
            body,
            lambda writer: self._answer(
                writer.settle(request.path_params["id"], settlement, _seen(request))
            ),
        )

    async def _note(self, request: Request) -> Response:
        body = await read_json(request)
        draft = note_from(body)
        return self._once(
            request,
            body,
            lambda writer: Answer(
                201, {}, note_json(writer.note(request.path_params["id"], draft))
            ),
        )

    def _answer(self, report: Report, status: int = 200) -> Answer:
        return Answer(status, {"ETag": etag(report)}, as_json(report, self._setup.public_url))

    def _once(
        self, request: Request, body: Any, action: Callable[[Writer], Answer]
    ) -> JSONResponse:
        """Does the action, or answers as before when its Idempotency-Key did it already.

        Only what was done is remembered: a refused request may be sent again with its key.
        """
        key = request.headers.get("idempotency-key")
        if key is not None and not _KEY.fullmatch(key):
            raise CorrectInputError(
                [("Idempotency-Key", "must have 1 to 255 printable characters without spaces")]
            )
        mark = fingerprint(request, body)
        with self._store.write() as writer:
            earlier = None if key is None else writer.replay(key, mark)
            answer = earlier or action(writer)
            if key is not None and earlier is None:
                writer.remember(key, mark, answer)
        status = 200 if earlier is not None else answer.status
        return JSONResponse(answer.body, status, answer.headers)

    async def _show_faults(self, _request: Request) -> Response:
        return JSONResponse(self._faults.settings())

    async def _set_faults(self, request: Request) -> Response:
        self._faults.replace(await read_json(request))
        return JSONResponse(self._faults.settings())

    async def _reset_faults(self, _request: Request) -> Response:
        self._faults.reset()
        return JSONResponse(self._faults.settings())

    async def _count_faults(self, _request: Request) -> Response:
        return JSONResponse(self._faults.struck())


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _seen(request: Request) -> Callable[[str], bool] | None:
    asked = request.headers.get("if-match")
    return None if asked is None else lambda current: _names(asked, current)


def _names(header: str, current: str) -> bool:
    """Whether a list of ETags names the current one; `W/` tags never match here."""
    return any(tag.strip() in {"*", current} for tag in header.split(","))


def _cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    """What a cursor of ours points at; two empty texts for any other."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        updated_at, report_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        # Encoding refuses halves of surrogate pairs, which the data file cannot be asked for.
        return to_text(from_text(updated_at)), report_id.encode().decode()
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "", ""
