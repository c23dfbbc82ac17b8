"""What a source file says of listing: pages, what changed since, and everything that is pending."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.sources import fields
from services.sources.expressions import compiled
from services.sources.fields import CURSOR, Expr, fault
from services.sources.templates import Template
from services.yaml_files.strict import DAY_S, HeaderName, ParamName, Strict

PlainQuery = Annotated[Mapping[str, Template], fields.query(())]


class NoPages(Strict):
    """One answer holds everything."""

    type: Literal["none"]


class CursorPages(Strict):
    """Each answer names the next page: `next` finds it in the body, `param` sends it."""

    type: Literal["cursor"]
    param: ParamName
    next: Expr


class Counted(Strict):
    """What tells that a counted page was the last; without any of it, an empty page does."""

    param: ParamName
    size_param: ParamName | None = None
    more: Expr | None = None
    total: Expr | None = None
    total_header: HeaderName | None = None


class NumberedPages(Counted):
    """Pages are counted."""

    type: Literal["page"]
    start: Annotated[int, Field(ge=0, le=1)] = 1
    size: Annotated[int, Field(ge=1, le=10_000)] | None = None


class OffsetPages(Counted):
    """Rows are counted: each page begins `size` rows after the one before."""

    type: Literal["offset"]
    size: Annotated[int, Field(ge=1, le=10_000)]


class LinkPages(Strict):
    """The header Link names the next page."""

    type: Literal["link_header"]
    rel: Annotated[str, Field(min_length=1, max_length=50)] = "next"


Pages = Annotated[
    NoPages | CursorPages | NumberedPages | OffsetPages | LinkPages, Field(discriminator="type")
]


class _Continued(Strict):
    param: ParamName | None = None
    query: Annotated[Mapping[str, Template], fields.query(CURSOR)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_sent(self) -> Self:
        sent = any("cursor.from" in value.names for value in self.query.values())
        if (self.param is None) == (not sent):
            raise fault("needs either `param`, or a `query` that holds {{cursor.from}}")
        return self


class TimeCursor(_Continued):
    """Asks for what changed since a time, less `lookback`; `field` finds the time in a row."""

    type: Literal["time"]
    field: Expr
    format: Annotated[str, Field(min_length=1, max_length=60)] = "rfc3339"
    lookback: Annotated[float, fields.duration(0, 7 * DAY_S)] = 120.0


class OpaqueCursor(_Continued):
    """Asks for what changed since a mark that the source gave; `field` finds it in the body."""

    type: Literal["opaque"]
    field: Expr


class Sweep(Strict):
    """How everything that is pending is listed, to see what was settled elsewhere."""

    interval: Annotated[float, fields.duration(1, DAY_S)] = 60.0
    query: PlainQuery = Field(default_factory=dict)


class Listing(Strict):
    """How records are listed; without `cursor` there are only sweeps."""

    path: Annotated[Template, fields.path(())]
    query: PlainQuery = Field(default_factory=dict)
    records: Expr = compiled("@")
    paginate: Pages = NoPages(type="none")
    cursor: Annotated[TimeCursor | OpaqueCursor, Field(discriminator="type")] | None = None
    interval: Annotated[float, fields.duration(0.1, DAY_S)] = 10.0
    sweep: Sweep = Sweep()
    max_pages: Annotated[int, Field(ge=1, le=10_000)] = 1000
