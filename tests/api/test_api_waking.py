"""Wake-ups that cannot be lost: what is final and unheard can be listed, and is acknowledged."""

import httpx2
import pytest

from services.web.keys import Keys
from services.web.scopes import Scope
from tests.api.api_kit import REQUESTER, Office, ask, decide, found, ids, refused


async def test_what_is_final_and_unheard_is_listed_until_somebody_acknowledges_it(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approved, recalled, pending = [(await ask(agent))["id"] for _ in range(3)]
    await decide(ann, approved)
    await agent.post(f"/v1/approvals/{recalled}/withdraw")
    mirrored = await office.mirrored()
    await office.placet.shown()
    unheard = {"acknowledged": "false", "requester": REQUESTER}
    assert await ids(agent, "/v1/approvals", **unheard) == [recalled, approved]
    view = found(await agent.post(f"/v1/approvals/{approved}/acknowledge"))
    assert (view["acknowledged_by"], view["status"]) == (REQUESTER, "approved")
    assert view["acknowledged_at"] == view["updated_at"]
    await office.placet.shown()
    assert await ids(agent, "/v1/approvals", **unheard) == [recalled]
    assert await ids(agent, "/v1/approvals", acknowledged="true") == [approved]
    assert not {pending, mirrored} & set(await ids(agent, "/v1/approvals", acknowledged="false"))


async def test_what_is_not_final_cannot_be_acknowledged(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent)
    answer = await agent.post(f"/v1/approvals/{approval['id']}/acknowledge", json={})
    assert refused(answer, 409, "not_final")["approval"]["status"] == "pending"


async def test_acknowledging_again_changes_nothing(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await decide(ann, approval["id"])
    path = f"/v1/approvals/{approval['id']}/acknowledge"
    first = found(await agent.post(path))
    assert found(await ann.post(path)) == first
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    assert [one["type"] for one in history].count("approval.acknowledged") == 1
    assert history[-1]["summary"] == f"{REQUESTER} has heard the outcome."


async def test_a_key_is_told_whom_it_opens_for(office: Office, agent: httpx2.AsyncClient) -> None:
    told = found(await agent.get("/v1/me"))
    assert (told["workspace"], told["principal"], told["agent"]) == (
        office.workspace,
        REQUESTER,
        False,
    )
    assert set(told["scopes"]) == {"approvals:read", "approvals:request", "approvals:decide"}


async def test_an_agents_key_asks_and_never_decides(office: Office) -> None:
    key = await office.placet.key(
        office.workspace, "bot@example.com", ["approvals:read", "approvals:request"], agent=True
    )
    bot = await office.stranger(key)
    assert found(await bot.get("/v1/me"))["agent"] is True
    approval = await ask(bot)
    refused(await decide(bot, approval["id"]), 403, "missing_scope")


@pytest.mark.parametrize("scope", ["approvals:decide", "admin"])
async def test_no_agents_key_is_made_that_could_decide(office: Office, scope: Scope) -> None:
    keys: Keys = office.placet.parts.keys
    with pytest.raises(ValueError, match="people decide"):
        await keys.create(
            office.workspace,
            principal="bot@example.com",
            name="",
            scopes=[scope],
            expires_at=None,
            agent=True,
        )
