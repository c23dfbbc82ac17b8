"""What a source file may say: one system of record, how it is listed, read, answered and shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from services.sources import acting, fields
from services.sources.acting import ActsAs
from services.sources.connection import Http, secrets
from services.sources.expressions import compiled
from services.sources.fields import ANSWER, ITEM, NOTE, Expr, Text, fault
from services.sources.listing import Listing
from services.sources.signature import Unsuitable, signing_key
from services.sources.templates import JsonTemplate, Template
from services.yaml_files.numbered_yaml import Path
from services.yaml_files.strict import HeaderName, Strict

Scalar = StrictStr | StrictInt | StrictBool
Status = Annotated[int, Field(ge=200, le=599)]


class PersonMap(Strict):
    """Where a person's address and name stand."""

    email: Expr
    name: Expr | None = None


class ApproversMap(PersonMap):
    """`each` yields a list; address and name are looked up in each of its entries."""

    each: Expr


class RecordMap(Strict):
    """Where the words of an approval stand in a record of the source."""

    record_id: Expr
    revision: Expr | None = None
    state: Expr | None = None
    settled_by: Expr | None = None
    type: Text | None = None
    title: Text
    payload: Expr
    requester: PersonMap
    approvers: ApproversMap
    reason: Text | None = None
    urgency: Text | None = None
    url: Text | None = None


class States(Strict):
    """Which values of `map.state` mean what; `settled` is for those that do not say how."""

    pending: tuple[Scalar, ...] = Field(min_length=1, strict=False)
    approved: tuple[Scalar, ...] = Field(default=(), strict=False)
    rejected: tuple[Scalar, ...] = Field(default=(), strict=False)
    cancelled: tuple[Scalar, ...] = Field(default=(), strict=False)
    settled: tuple[Scalar, ...] = Field(default=(), strict=False)
    ignored: tuple[Scalar, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _each_value_once(self) -> Self:
        seen: dict[tuple[type, Scalar], str] = {}
        for name in type(self).model_fields:
            for value in getattr(self, name):
                first = seen.setdefault((type(value), value), name)
                if first != name:
                    raise fault(f"holds {value!r}, which stands under `{first}` too", (name,))
        return self


class Etag(Strict):
    """What a conditional write needs: a header of the answer, or a field of the record."""

    header: HeaderName | None = None
    field: Expr | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.field is None):
            raise fault("needs either `header` or `field`")
        return self


class Get(Strict):
    """How one record is read by itself; `gone` are the codes that say that there is none."""

    path: Annotated[Template, fields.path(ITEM)]
    query: Annotated[Mapping[str, Template], fields.query(ITEM)] = Field(default_factory=dict)
    record: Expr = compiled("@")
    etag: Etag | None = None
    gone: tuple[Status, ...] = Field(default=(404, 410), strict=False)


class Write(Strict):
    """A request that changes something; its placeholders are those of an answer."""

    method: Literal["POST", "PUT", "PATCH"] = "POST"
    path: Annotated[Template, fields.path(ANSWER)]
    query: Annotated[Mapping[str, Template], fields.query(ANSWER)] = Field(default_factory=dict)
    headers: Annotated[Mapping[str, Template], fields.headers(ANSWER)] = Field(default_factory=dict)
    body: Annotated[JsonTemplate, fields.json_body(ANSWER)] | None = Field(
        default=None, alias="json"
    )


class NoteWrite(Strict):
    """A request that leaves a work note."""

    method: Literal["POST", "PUT", "PATCH"] = "POST"
    path: Annotated[Template, fields.path(NOTE)]
    query: Annotated[Mapping[str, Template], fields.query(NOTE)] = Field(default_factory=dict)
    headers: Annotated[Mapping[str, Template], fields.headers(NOTE)] = Field(default_factory=dict)
    body: Annotated[JsonTemplate, fields.json_body(NOTE)] | None = Field(default=None, alias="json")


class Refusal(Strict):
    """How an answer of the source is recognised: its code, and `when` holds for its body."""

    status: tuple[Status, ...] = Field(strict=False)
    when: Expr | None = None


class Settled(Refusal):
    """The answer that says that the record is settled; `record` finds it in the body."""

    status: tuple[Status, ...] = Field(default=(409,), strict=False)
    record: Expr | None = None


class Changed(Refusal):
    """The answer that says that the record is not what it was."""

    status: tuple[Status, ...] = Field(default=(412,), strict=False)


class Decide(Strict):
    """How an answer is written back."""

    approve: Write
    deny: Write
    already_settled: Settled = Settled()
    changed: Changed = Changed()


class Card(Strict):
    """How an approver sees a record: Mustache over the payload."""

    title: fields.CardText
    body: fields.CardText


class Webhook(Strict):
    """The source may push records; with `optional`, an unset variable turns that off."""

    optional: bool = False
    secret: fields.OptionalEnvSecret
    record: Expr = compiled("@")

    @model_validator(mode="after")
    def _can_verify(self) -> Self:
        if self.secret is not None:
            try:
                signing_key(self.secret.reveal())
            except Unsuitable as error:
                raise fault(str(error), ("secret",)) from None
        return self


class SourceFile(Strict):
    """One system of record.

    Of its records `keep` says which are for us, and `require` what must hold for each of these.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    http: Http
    listing: Listing = Field(alias="list")
    keep: Expr | None = None
    mapping: RecordMap = Field(alias="map")
    states: States | None = None
    require: tuple[Expr, ...] = Field(default=(), max_length=50, strict=False)
    get: Get
    decide: Decide | None = None
    act_as: ActsAs = None
    note: NoteWrite | None = None
    notes: Expr | None = None
    card: Card | None = None
    sensitive: fields.Pointers = ()
    webhook: Webhook | None = None

    @model_validator(mode="after")
    def _acts_on_something(self) -> Self:
        if self.act_as is not None and self.decide is None:
            raise fault("is of no use without `decide`, which writes answers back", ("act_as",))
        return self

    @model_validator(mode="after")
    def _states_have_a_place(self) -> Self:
        if self.mapping.state is not None and self.states is None:
            raise fault("has no `states` to say what its values mean: add them", ("map", "state"))
        if self.mapping.state is None and self.states is not None:
            raise fault("is of no use without `map.state`, which finds the value", ("states",))
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDefinition:
    """A source file that was read without a fault, for one workspace."""

    workspace: str
    path: str
    file: SourceFile
    lines: Mapping[Path, int]

    @property
    def name(self) -> str:
        """The name of the source within its workspace."""
        return self.file.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must never be printed, in each form in which it is sent."""
        webhook = self.file.webhook
        pushed = (webhook.secret.reveal(),) if webhook and webhook.secret else ()
        return (*secrets(self.file.http.auth), *acting.secrets(self.file.act_as), *pushed)

    def line_of(self, *path: str | int) -> int | None:
        """Return the line of a part of the file, or None when the file leaves it out."""
        return self.lines.get(path)
