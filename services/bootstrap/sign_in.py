"""Puts sign-in through an identity provider together, where one is configured."""

from collections.abc import Sequence

from fastapi import APIRouter

from services.bootstrap.parts import Parts
from services.decision.forms.by_provider import ByProvider, provider_router
from services.decision.forms.guarding import Guard
from services.decision.forms.ports import Asked, Shows
from services.identity.accounts import Accounts
from services.identity.provider import Provider
from services.settings import DEFAULT_WORKSPACE


def make_sign_in(parts: Parts, asked: Asked, pages: Shows) -> Sequence[APIRouter]:
    """Return the routes by which people sign in through their identity provider."""
    if parts.settings.oidc is None:
        return []
    workspace = parts.config.types.workspace or DEFAULT_WORKSPACE
    by_provider = ByProvider(
        Provider(parts.settings.oidc, f"{parts.settings.public_url}/login/oidc/callback"),
        Accounts(parts.app_db, workspace),
        asked,
        pages,
        parts.sessions,
        parts.directories,
    )
    return [provider_router(by_provider, Guard(pages, parts.sessions))]
