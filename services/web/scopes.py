"""What a key may do."""

from typing import Literal, get_args

Scope = Literal[
    "approvals:read",
    "approvals:request",
    "approvals:decide",
    "webhooks:manage",
    "sources:manage",
    "people:manage",
    "admin",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
