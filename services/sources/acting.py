"""Who a source shows as the one who answered: the service account, or the person themselves."""

import base64
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from services.sources import fields
from services.sources.credentials import Secret, as_sent
from services.sources.fields import fault
from services.yaml_files.strict import Strict

Scope = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,200}$")]


class OwnAccount(Strict):
    """Where people allow us to answer as they themselves, and what we are there.

    Without `client_secret` we are a public client; `client_auth` is how the secret is shown.
    """

    authorize_url: fields.SafeUrl
    token_url: fields.SafeUrl
    client_id: fields.TextOrEnv
    client_secret: fields.EnvSecret | None = None
    client_auth: Literal["basic", "post"] = "basic"
    scopes: Annotated[tuple[Scope, ...], Field(max_length=50, strict=False)] = ()


class ActAs(Strict):
    """That answers are written by whoever gave them."""

    user: OwnAccount


def _named(value: Any) -> Any:
    if value == "service":
        return None
    if not isinstance(value, dict):
        raise fault("must be `service`, or a mapping that begins with `user:`")
    return value


ActsAs = Annotated[ActAs | None, BeforeValidator(_named)]
"""None for the service account, as which everything else is done anyway."""


def secrets(acts: ActAs | None) -> tuple[str, ...]:
    """Return what must never be printed, in each form in which it is sent."""
    if acts is None or acts.user.client_secret is None:
        return ()
    secret = acts.user.client_secret.reveal()
    pair = base64.b64encode(f"{acts.user.client_id}:{secret}".encode()).decode()
    return (*as_sent(Secret(secret)), pair)
