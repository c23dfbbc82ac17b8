"""Puts together what lets people answer sources from accounts of their own."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter

from services.bootstrap.parts import Parts
from services.decision.forms.granting import Granting, granting_router
from services.decision.forms.guarding import Guard
from services.grants.authorizing import AuthorizationServer
from services.grants.grants import Grants
from services.grants.sealing import Seal
from services.grants.tokens import Tokens
from services.queue.pages.grants import GrantPages
from services.queue.pages.rendering import Pages
from services.queue.pages.templating import Connects
from services.settings import MAKE_A_KEY, SEALED_WITH, HalfConfigured
from services.sources.definition import SourceDefinition


@dataclass(frozen=True, slots=True)
class Connecting:
    """Where people connect their accounts, and the tokens that they granted."""

    servers: Mapping[tuple[str, str], AuthorizationServer]
    tokens: Tokens


def make_connecting(parts: Parts) -> Connecting:
    """Return it; raises `HalfConfigured` where tokens are to be kept and there is no key."""
    public_url = parts.settings.public_url
    servers = {}
    for one in _answered_as_user(parts):
        if one.file.act_as is not None:
            back = f"{public_url}/grants/{one.name}/callback"
            server = AuthorizationServer(one.name, one.file.act_as.user, back)
            servers[one.workspace, one.name] = server
    key = parts.settings.secret_key
    if servers and key is None:
        names = ", ".join(sorted(name for _, name in servers))
        raise HalfConfigured(
            [f"{SEALED_WITH} is not set, and {names} has `act_as: user`. {MAKE_A_KEY}"]
        )
    seal = None if key is None or not servers else Seal(key)
    return Connecting(servers, Tokens(servers, Grants(parts.app_db), seal, public_url))


def take_grants(parts: Parts, pages: Pages, connecting: Connecting) -> APIRouter:
    """Return the routes by which people connect their accounts."""
    granting = Granting(
        connecting.servers,
        connecting.tokens,
        Grants(parts.app_db),
        show_grants(parts, pages),
        parts.sessions,
    )
    return granting_router(granting, Guard(pages, parts.sessions))


def show_grants(parts: Parts, pages: Pages) -> GrantPages:
    """Return the page of accounts."""
    sources = {
        (one.workspace, one.name): one.file.http.base_url for one in _answered_as_user(parts)
    }
    return GrantPages(pages, Grants(parts.app_db), sources)


def connects(parts: Parts) -> Connects:
    """Return what tells of a workspace whether a source is answered from people's own accounts."""
    return frozenset(one.workspace for one in _answered_as_user(parts)).__contains__


def _answered_as_user(parts: Parts) -> list[SourceDefinition]:
    return [one for one in parts.config.sources if one.file.act_as is not None]
