"""The client for programs that wait: each call returns when it is answered."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx2

from placet import calls, flows, waiting
from placet.answers import Answer, Body
from placet.approval import Approval
from placet.call import Call, Entries, Entry
from placet.calls import Ask, Batch, Wanted
from placet.flows import Flow, Pause, Send, Tell
from placet.json_values import Json
from placet.organisation import Delegations, People, Policies
from placet.pages import Page
from placet.questions import OnQuestion, Wants
from placet.requests import http_options, request_of
from placet.settings import DEFAULT_ATTEMPTS, DEFAULT_TIMEOUT_S, read_settings

T = TypeVar("T")


class Placet:
    """A Placet server, as its callers reach it; may be shared by threads. Close it after use.

    `url` and `key` are read from `PLACET_URL` and `PLACET_KEY` when left out. `timeout` is how
    many seconds an answer may take, `attempts` how often a call is sent at most.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = DEFAULT_TIMEOUT_S,
        attempts: int = DEFAULT_ATTEMPTS,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.settings = read_settings(url, key, timeout, attempts)
        self._http = httpx2.Client(transport=transport, **http_options(self.settings))
        self.approvals = Approvals(self)
        self.people = People(self)
        self.delegations = Delegations(self)
        self.policies = Policies(self)

    def run(self, flow: Flow[T]) -> T:
        """Carry out a flow of calls and pauses, and return what it returns."""
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    step = flow.send(None)
                    continue
                if isinstance(step, Tell):
                    said: Any = step.listener(step.question)
                    step = flow.send(said)  # where an awaitable is refused
                    continue
                try:
                    answer = self._answer(step)
                except httpx2.RequestError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as done:
            returned: T = done.value
            return returned

    def _answer(self, send: Send) -> Answer:
        with self._http.stream(**request_of(send)) as response:
            body = Body()
            for chunk in response.iter_bytes():
                body.add(chunk)
        return Answer(response.status_code, response.headers, body.whole())

    def close(self) -> None:
        """Close the connections; no call can be made after that."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(url={self.settings.url!r})"


class Approvals:
    """What can be done with approvals; every call raises `PlacetError`s."""

    def __init__(self, client: Placet) -> None:
        self._client = client

    def create(self, **ask: Unpack[Ask]) -> Approval:
        """Ask for an approval.

        `type`, `title` and, unless the server knows default ones, `approvers` (addresses) are
        needed. The same `idempotency_key` with the same ask returns the same approval, as it is
        now; without one the client makes one, so that its own retries ask once.
        """
        return self._send(calls.create(ask))

    def get(self, approval_id: str) -> Approval:
        """Return an approval as it is now."""
        return self._send(calls.get(approval_id))

    def list(self, **wanted: Unpack[Wanted]) -> Page:
        """Return a page of approvals, newest first; iterate over it for all of them."""
        return self._page(calls.list_(wanted))

    def queue(self, approver: str | None = None, *, limit: int | None = None) -> Page:
        """Return what somebody still needs to decide, most urgent first: the key's own person."""
        return self._page(calls.queue(approver, limit))

    def decide(
        self,
        *,
        approval_id: str,
        decision: str,
        reason: str | None = None,
        approver: str | None = None,
        revision: str | int | None = None,
        payload: Mapping[str, Json] | None = None,
    ) -> Approval:
        """Answer `approved` or `rejected`, and return the approval.

        It is final, or `deciding`, or still `pending` where others must answer too: `progress`
        says who. `revision` is the one that was looked at: another one by now raises
        `StaleRevision`. `payload` is an edited one, where the ask allows it. Raises
        `AlreadyResolved` when somebody else was first.
        """
        return self._send(
            calls.decide(
                approval_id,
                decision=decision,
                reason=reason,
                approver=approver,
                revision=revision,
                payload=payload,
            )
        )

    def undo(self, approval_id: str, *, approver: str | None = None) -> Approval:
        """Take an answer back that was given in the inbox or on a channel and is still held.

        It is `pending` again. Raises `Conflict` when `held_until` is over.
        """
        return self._send(calls.undo(approval_id, approver))

    def wait(
        self,
        approval_id: str,
        *,
        timeout: float | None = None,
        on_question: OnQuestion | None = None,
    ) -> Approval:
        """Return an approval once it is final; goes on while the server is started anew.

        `on_question` is called once with each `Question` that an approver asks back, within some
        ten seconds. The text that it returns is the answer; with None it waits until somebody
        else answers. Without it, it waits on all the same.

        Raises `NotDecidedInTime`, with the approval, after `timeout` seconds; without one it
        waits as long as the approval can live. Raises `Unavailable` when the server does not
        answer for ten minutes, and whatever `on_question` raises.
        """
        listening = waiting.Listening(on_question) if on_question else None
        flow = waiting.wait(self._client.settings, approval_id, timeout, listening)
        return self._client.run(flow)

    def withdraw(self, approval_id: str, reason: str | None = None) -> Approval:
        """Recall an ask; raises `AlreadyResolved` when it was decided meanwhile."""
        return self._send(calls.withdraw(approval_id, reason))

    def acknowledge(
        self, approval_id: str, *, effective_payload: Mapping[str, Json] | None = None
    ) -> Approval:
        """Say that the outcome was heard, and what was really done if that is to be kept.

        Raises `Conflict` while there is no outcome.
        """
        return self._send(calls.acknowledge(approval_id, effective_payload))

    def ask_back(
        self,
        approval_id: str,
        text: str,
        *,
        wants: Wants = "answer",
        approver: str | None = None,
        revision: str | int | None = None,
    ) -> Approval:
        """Ask the requester something, or with `wants="changes"` return it to them: as approver.

        The clock stands still until they answer. Raises `Conflict` while another question is open.
        """
        call = calls.ask_back(approval_id, text, wants=wants, approver=approver, revision=revision)
        return self._send(call)

    def answer(self, approval_id: str, text: str, *, question_id: str | None = None) -> Approval:
        """Answer what was asked back, left out: the open question; it waits for its approvers.

        Raises `Conflict` where nobody asks.
        """
        flow = waiting.answered(self._client.settings, approval_id, text, question_id)
        return self._client.run(flow)

    def revise(
        self,
        approval_id: str,
        *,
        payload: Mapping[str, Json] | None = None,
        title: str | None = None,
        reason: str | None = None,
        revision: str | int | None = None,
    ) -> Approval:
        """Change what is asked, as its requester: a new revision, for which all answer anew."""
        call = calls.revise(
            approval_id, payload=payload, title=title, reason=reason, revision=revision
        )
        return self._send(call)

    def reassign(
        self,
        approval_id: str,
        *,
        to: str,
        person: str | None = None,
        reason: str | None = None,
        approver: str | None = None,
    ) -> Approval:
        """Let `to` be asked instead of `person`, left out: of the key's own.

        Raises `Invalid` for somebody who cannot be asked.
        """
        call = calls.reassign(approval_id, to=to, person=person, reason=reason, approver=approver)
        return self._send(call)

    def remind(self, approval_id: str) -> Approval:
        """Remind whoever has not answered; raises `Conflict` within an hour of the last time."""
        return self._send(calls.remind(approval_id))

    def comment(self, approval_id: str, text: str) -> Approval:
        """Leave a comment."""
        return self._send(calls.comment(approval_id, text))

    def history(self, approval_id: str) -> Entries:
        """Return what happened to an approval, oldest first."""
        return self._send(calls.history(approval_id))

    def difference(self, approval_id: str) -> Entry:
        """Return where what was proposed, approved and done differ: `data`, place by place."""
        return self._send(calls.difference(approval_id))

    def links(self, approval_id: str) -> Entries:
        """Return the items that an approval is linked to."""
        return self._send(calls.links(approval_id))

    def _send(self, call: Call[T]) -> T:
        return self._client.run(flows.exchange(self._client.settings, call))

    def _page(self, call: Call[Batch]) -> Page:
        batch = self._send(call)
        return Page(batch, lambda cursor: self._page(calls.following(call, cursor)))
