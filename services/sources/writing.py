"""Writes answers and work notes back to a source, and reads what the source makes of them."""

from collections.abc import Mapping
from dataclasses import replace

from events.observation import Observation
from services.sources import AlreadySettled, Answer, RecordChanged, SourceRefused
from services.sources.definition import NoteWrite, Refusal, SourceDefinition, Write
from services.sources.exchange import Exchange
from services.sources.expressions import Expression, Inapplicable
from services.sources.mapping import RecordMapper, Unmappable
from services.sources.messages import Received, Request
from services.sources.templates import Context, Template


class Writer:
    """The `decide` and `note` of one source file."""

    def __init__(
        self, definition: SourceDefinition, exchange: Exchange, mapper: RecordMapper
    ) -> None:
        self._name = definition.name
        self._decide = definition.file.decide
        self._note = definition.file.note
        self._exchange = exchange
        self._mapper = mapper

    async def decide(self, answer: Answer) -> None:
        """See `Source.decide`."""
        decide = self._decide
        if decide is None:
            raise SourceRefused(f"{self._name} takes no answers from here: answer there")
        write = decide.approve if answer.outcome == "approved" else decide.deny
        request = replace(prepared(write, answer_context(answer)), token=answer.token)
        received = await self._exchange.send(request)
        if received.accepted:
            return
        if _is(decide.already_settled, received):
            how = self._settled_record(decide.already_settled.record, answer, received)
            if how is not None and how.state == "pending":
                raise RecordChanged(self._exchange.words(received))
            raise AlreadySettled(how)
        if _is(decide.changed, received):
            raise RecordChanged(self._exchange.words(received))
        raise SourceRefused(self._exchange.words(received), status=received.status)

    async def note(self, record_id: str, text: str, idempotency_key: str) -> None:
        """See `Source.note`."""
        if self._note is None:
            return
        context = {
            "item": {"record_id": record_id},
            "note": {"text": text, "idempotency_key": idempotency_key},
        }
        received = await self._exchange.send(prepared(self._note, context))
        if not received.accepted:
            raise SourceRefused(self._exchange.words(received), status=received.status)

    def _settled_record(
        self, expression: Expression | None, answer: Answer, received: Received
    ) -> Observation | None:
        if expression is None:
            return None
        try:
            record = expression.of(received.json())
            return self._mapper.alone(record, answer.record_id, received.began)
        except (ValueError, Inapplicable, Unmappable):
            return None  # that it is settled is certain; how, the next reading tells


def prepared(write: Write | NoteWrite, context: Context) -> Request:
    """Return the request that a write would send, for sending or for showing it.

    Raises `SourceRefused` when its path would lead somewhere else.
    """
    return Request(
        method=write.method,
        path=path_of(write.path, context),
        query=filled(write.query, context),
        headers=filled(write.headers, context),
        body=None if write.body is None else write.body.value(context),
    )


def answer_context(answer: Answer) -> Context:
    """Return what the placeholders of a write stand for."""
    return {
        "item": {"record_id": answer.record_id},
        "answer": {
            "outcome": answer.outcome,
            "reason": answer.reason,
            "by_email": answer.by_email,
            "by_name": answer.by_name,
            "approval_id": answer.approval_id,
            "precondition": answer.precondition,
            "idempotency_key": answer.idempotency_key,
        },
    }


def path_of(template: Template, context: Context) -> str:
    """Return a path with its values quoted; raises `SourceRefused` if it would lead elsewhere."""
    path = template.render(context, "path")
    if any(part in {".", ".."} for part in path.split("/")):
        raise SourceRefused(f"the path {path} would lead somewhere else")
    return path


def filled(templates: Mapping[str, Template], context: Context) -> dict[str, str]:
    """Return parameters or headers; those whose template is one tag without a value stay away."""
    values = {name: template.value(context) for name, template in templates.items()}
    return {name: str(value) for name, value in values.items() if value is not None}


def _is(refusal: Refusal, received: Received) -> bool:
    if received.status not in refusal.status:
        return False
    if refusal.when is None:
        return True
    try:
        return refusal.when.holds(received.json())
    except (ValueError, Inapplicable):
        return False
