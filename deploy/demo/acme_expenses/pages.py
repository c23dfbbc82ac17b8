"""The pages on which people create, edit and settle reports, all without JavaScript."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from acme_expenses.bodies import read_form
from acme_expenses.drafts import APPROVERS, CATEGORIES, SUBMITTERS
from acme_expenses.errors import AlreadySettledError, CorrectInputError, ReadAgainError
from acme_expenses.faults import KINDS, Faults
from acme_expenses.fields import Fields
from acme_expenses.forms import ReportForm, faults_from, form_from, form_of
from acme_expenses.intake import cancellation_from, change_from, decision_from, draft_from
from acme_expenses.money import CURRENCIES, display
from acme_expenses.problems import REFUSALS, refusal_status
from acme_expenses.records import Report, Status, etag
from acme_expenses.store import Store
from acme_expenses.times import now, to_text

_PAGE_ROWS = 50
_MAX_PAGE = 2000
_STATUSES = {status.value: status.value for status in Status}
# What a page says after a form was sent; the address names it, so that nobody can make it say else.
_DONE = {
    "created": "The report was created.",
    "edited": "The changes were saved.",
    "approved": "The report was approved.",
    "rejected": "The report was rejected.",
    "cancelled": "The report was cancelled.",
    "faults": "The faults were set.",
}


class Pages:
    """The pages over one store."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self._templates = _environment()

    def routes(self) -> list[Route]:
        """The routes of the pages."""
        return [
            Route("/", self._guarded(self._list), methods=["GET"]),
            Route("/new", self._guarded(self._new), methods=["GET"]),
            Route("/reports", self._guarded(self._create), methods=["POST"]),
            Route("/reports/{id}", self._guarded(self._show), methods=["GET"]),
            Route("/reports/{id}/edit", self._guarded(self._edit), methods=["GET", "POST"]),
            Route("/reports/{id}/settle", self._guarded(self._settle), methods=["POST"]),
            Route("/switch-faults", self._guarded(self._switch), methods=["POST"]),
        ]

    def error(self, status: int, sentence: str) -> HTMLResponse:
        """A page that says what went wrong."""
        return self._page("error.html", status, sentence=sentence)

    def _guarded(
        self, handler: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except (AlreadySettledError, ReadAgainError) as error:
                return self._detail(error.report, refusal_status(error), alert=_told(error))
            except REFUSALS as error:
                return self.error(refusal_status(error), str(error))

        return guarded

    async def _list(self, request: Request) -> Response:
        return self._overview(dict(request.query_params), 200, [])

    def _overview(
        self, asked: Mapping[str, str], code: int, faults: list[tuple[str, str]]
    ) -> HTMLResponse:
        query = Fields(dict(asked), ("status", "approver", "page", "done"))
        status = query.choice("status", _STATUSES)
        approver = query.choice("approver", {address: address for address in APPROVERS})
        number = query.whole("page", 1, _MAX_PAGE, 1)
        query.check()
        counts = self._store.counts(approver)
        reports = self._store.newest(
            status=None if status is None else Status(status),
            approver=approver,
            limit=_PAGE_ROWS + 1,
            offset=(number - 1) * _PAGE_ROWS,
        )
        return self._page(
            "reports.html",
            code,
            reports=reports[:_PAGE_ROWS],
            more=len(reports) > _PAGE_ROWS and number < _MAX_PAGE,
            number=number,
            status=status,
            approver=approver,
            counts=counts,
            total=sum(counts.values()),
            done=_DONE.get(asked.get("done", "")),
            settings=self._faults.settings(),
            struck=self._faults.struck(),
            faults=faults,
        )

    async def _show(self, request: Request) -> Response:
        done = _DONE.get(request.query_params.get("done", ""))
        return self._detail(self._store.read(request.path_params["id"]), 200, done=done)

    def _detail(
        self, report: Report, code: int, *, done: str | None = None, alert: str | None = None
    ) -> HTMLResponse:
        people = {**APPROVERS, report.approver.email_addr: report.approver}
        return self._page(
            "report.html",
            code,
            report=report,
            etag=etag(report),
            deciders=list(people.values()),
            done=done,
            alert=alert,
        )

    async def _new(self, _request: Request) -> Response:
        return self._form(ReportForm(), None, 200)

    async def _create(self, request: Request) -> Response:
        sent = await read_form(request)
        form = form_from(sent)
        if "more" in sent:
            return self._form(form, None, 200)
        try:
            draft = draft_from(form.body())
        except CorrectInputError as error:
            form.faults = error.faults
            return self._form(form, None, 422)
        with self._store.write() as writer:
            report = writer.create(draft, listed_after=self._faults.lateness())
        return _see(f"/reports/{report.id}?done=created")

    async def _edit(self, request: Request) -> Response:
        report = self._store.read(request.path_params["id"])
        if report.status is not Status.PENDING:
            raise AlreadySettledError(report)
        if request.method != "POST":
            return self._form(form_of(report), report, 200)
        sent = await read_form(request)
        form = form_from(sent)
        form.submitter, form.currency = report.submitter.email_addr, report.currency
        seen = sent.get("seen")
        if "more" in sent:
            return self._form(form, report, 200, seen)
        try:
            change = change_from(form.change(), report.currency)
        except CorrectInputError as error:
            form.faults = error.faults
            return self._form(form, report, 422, seen)
        with self._store.write() as writer:
            writer.edit(report.id, change, lambda current: current == seen)
        return _see(f"/reports/{report.id}?done=edited")

    def _form(
        self, form: ReportForm, report: Report | None, code: int, seen: str | None = None
    ) -> HTMLResponse:
        approvers = list(APPROVERS.values())
        if report is not None and report.approver.email_addr not in APPROVERS:
            approvers.append(report.approver)
        return self._page(
            "form.html",
            code,
            form=form,
            report=report,
            # The tag of what the person was shown first, also when the form comes back.
            seen=seen or (None if report is None else etag(report)),
            approvers=approvers,
            submitters=list(SUBMITTERS.values()),
            currencies=list(CURRENCIES),
            categories=CATEGORIES,
        )

    async def _settle(self, request: Request) -> Response:
        sent = await read_form(request)
        seen = sent.get("seen")
        reason = sent.get("reason")
        if sent.get("decision") == "cancel":
            by = self._store.read(request.path_params["id"]).submitter.email_addr
            settlement = cancellation_from({"reason": reason, "cancelled_by": by})
        else:
            settlement = decision_from(
                {
                    "decision": sent.get("decision"),
                    "reason": reason,
                    "decided_by": sent.get("decided_by"),
                }
            )
        with self._store.write() as writer:
            report = writer.settle(
                request.path_params["id"], settlement, lambda current: current == seen
            )
        return _see(f"/reports/{report.id}?done={report.status}")

    async def _switch(self, request: Request) -> Response:
        sent = await read_form(request)
        if "reset" in sent:
            self._faults.reset()
            return _see("/?done=faults")
        try:
            self._faults.replace(faults_from(sent))
        except CorrectInputError as error:
            return self._overview({}, 422, error.faults)
        return _see("/?done=faults")

    def _page(self, name: str, code: int, **values: Any) -> HTMLResponse:
        text = self._templates.get_template(name).render(active=self._faults.active(), **values)
        return HTMLResponse(text, code, {"Cache-Control": "no-store"})


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "money": display,
        "ago": lambda moment: _ago(moment, now()),
        "rfc3339": to_text,
        "clock": lambda moment: f"{moment:%d %b %Y, %H:%M} UTC",
        "spoken": _spoken,
        "slug": lambda name: re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-"),
    }
    environment.globals |= {
        "statuses": list(Status),
        "everyone": list(APPROVERS.values()),
        "kinds": KINDS,
    }
    return environment


def _spoken(name: str) -> str:
    """The name of a field as the form labels it."""
    name = name.removesuffix(".email_addr")
    if line := re.fullmatch(r"line_items\[(\d+)\]\.(\w+)", name):
        return f"Line {int(line[1]) + 1}, {line[2]}"
    return name.replace("_", " ").capitalize()


def _ago(moment: datetime, current: datetime) -> str:
    passed = current - moment
    if passed < timedelta(minutes=1):
        return "just now"
    if passed < timedelta(hours=1):
        return f"{passed // timedelta(minutes=1)} min ago"
    if passed < timedelta(days=1):
        return f"{passed // timedelta(hours=1)} h ago"
    days = passed // timedelta(days=1)
    return "yesterday" if days == 1 else f"{days} days ago"


def _told(error: AlreadySettledError | ReadAgainError) -> str:
    if isinstance(error, AlreadySettledError):
        return f"Nothing was done: {error}"
    return "Nothing was done: the report has changed since you opened it. This is how it is now."


def _see(address: str) -> RedirectResponse:
    # 303, so that loading the next page again sends no form again.
    return RedirectResponse(address, 303)
