"""What a source file says of the connection: where, with which credentials, and how often."""

import base64
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.sources import fields
from services.sources.credentials import Secret, as_sent
from services.sources.fields import fault
from services.sources.templates import Template
from services.yaml_files.strict import DAY_S, HeaderName, ParamName, Strict


class NoAuth(Strict):
    """Nothing is shown to the source."""

    type: Literal["none"]


class BasicAuth(Strict):
    """A name and a password."""

    type: Literal["basic"]
    username: fields.TextOrEnv
    password: fields.EnvSecret


class BearerAuth(Strict):
    """A token in the header Authorization; with `optional`, an unset variable sends none."""

    type: Literal["bearer"]
    optional: bool = False
    token: fields.OptionalEnvSecret


class ApiKeyAuth(Strict):
    """A key in a header of its own, or in the query where a source knows no better."""

    type: Literal["api_key"]
    header: HeaderName | None = None
    query: ParamName | None = None
    key: fields.EnvSecret

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.query is None):
            raise fault("needs either `header` or `query`: where the key goes")
        return self


Auth = Annotated[NoAuth | BasicAuth | BearerAuth | ApiKeyAuth, Field(discriminator="type")]


class Rate(Strict):
    """How much the source may be asked, by all processes together; `concurrency` by each."""

    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    per: Annotated[float, fields.duration(0.1, DAY_S)] = 60.0
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    wait_headers: tuple[HeaderName, ...] = Field(default=("Retry-After",), strict=False)


class Http(Strict):
    """How the source is reached; `timeout` is for one whole request."""

    base_url: fields.BaseUrl
    auth: Auth = NoAuth(type="none")
    timeout: Annotated[float, fields.duration(0.1, 120)] = 20.0
    headers: Annotated[Mapping[str, Template], fields.headers(())] = Field(default_factory=dict)
    rate: Rate = Rate()


def credentials(auth: NoAuth | BasicAuth | BearerAuth | ApiKeyAuth) -> dict[str, str]:
    """Return the headers that show who asks."""
    match auth:
        case BasicAuth(username=username, password=password):
            pair = f"{username}:{password.reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case BearerAuth(token=Secret() as token):
            return {"Authorization": f"Bearer {token.reveal()}"}
        case ApiKeyAuth(header=str() as name, key=key):
            return {name: key.reveal()}
        case ApiKeyAuth() | BearerAuth() | NoAuth():
            return {}


def secrets(auth: NoAuth | BasicAuth | BearerAuth | ApiKeyAuth) -> tuple[str, ...]:
    """Return what must never be printed, in each form in which it is sent."""
    match auth:
        case BasicAuth(password=held) | ApiKeyAuth(key=held) | BearerAuth(token=Secret() as held):
            encoded = credentials(auth).get("Authorization", "").partition(" ")[2]
            return tuple({*as_sent(held), encoded or held.reveal()})
        case BearerAuth() | NoAuth():
            return ()
