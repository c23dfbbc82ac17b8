"""The pages of webhooks: who is told, what failed, and telling it again."""

import secrets

from tests.admin.admin_kit import HOSTILE, House
from tests.admin.test_admin_sources import measure

ENDPOINT = """
INSERT INTO webhook_endpoints (workspace, endpoint_id, url, event_types, description, status,
    disabled_at, disabled_reason)
VALUES ($1, $2, $3, ARRAY['approval.decided', 'approval.requested'], $4, $5,
    CASE WHEN $5 = 'disabled' THEN now() END, CASE WHEN $5 = 'disabled' THEN 'Gone.' END)
"""
DELIVERY = """
INSERT INTO webhook_deliveries (workspace, endpoint_id, message_id, type, body, state, attempts,
    tries)
VALUES ($1, $2, $3, 'endpoint.disabled', '{}', $4, 2, 2) RETURNING number
"""
ATTEMPT = """
INSERT INTO webhook_attempts (workspace, delivery, number, at, status, error, duration_ms, answer)
VALUES ($1, $2, $3, now(), $4, $5, 12, $6)
"""


async def endpoint(house: House, status: str = "active", description: str = "") -> str:
    name = f"wh_{secrets.token_hex(6)}"
    url = "https://hooks.example.com/in"
    await house.rows(ENDPOINT, house.workspace, name, url, description, status)
    return name


async def delivery(house: House, name: str, message: str, state: str) -> None:
    ((number,),) = await house.rows(DELIVERY, house.workspace, name, message, state)
    await house.rows(ATTEMPT, house.workspace, number, 1, None, f"refused {HOSTILE}", "")
    await house.rows(ATTEMPT, house.workspace, number, 2, 500, None, HOSTILE)


async def states(house: House, name: str) -> dict[str, str]:
    rows = await house.rows(
        "SELECT message_id, state FROM webhook_deliveries WHERE endpoint_id = $1", name
    )
    return dict(rows)


async def test_each_endpoint_shows_what_it_was_not_told(house: House) -> None:
    name = await endpoint(house, description=HOSTILE)
    await delivery(house, name, "msg-1", "failed")
    await delivery(house, name, "msg-2", "waiting")
    page = await house.page("/admin/webhooks")
    card = page.one("li", class_="card")
    assert measure(card, "Failed for good") == "1"
    assert measure(card, "Waiting") == "1"
    assert measure(card, "Held") == "0"
    assert "<script>alert" in card.one("p", class_="soft").text

    page = await house.page(f"/admin/webhooks/{name}?state=failed")
    (one,) = page.one("ul", class_="cards").all("li", class_="card")
    attempts = one.all("li")
    assert attempts[0].text.startswith(attempts[0].one("time").text)
    assert "answered 500 after 12 ms" in attempts[0].text
    assert "<script>alert" in attempts[0].one("pre").text
    assert "refused <script>alert" in attempts[1].text


async def test_one_message_is_told_again(house: House) -> None:
    name = await endpoint(house)
    await delivery(house, name, "msg-1", "failed")
    await delivery(house, name, "msg-2", "failed")
    page = await house.press(f"/admin/webhooks/{name}/replay", message="msg-1")
    assert "Replayed message msg-1 to https://hooks" in page.one("div", class_="notice").text
    assert await states(house, name) == {"msg-1": "waiting", "msg-2": "failed"}


async def test_a_message_that_was_never_theirs_is_not_told(house: House) -> None:
    name = await endpoint(house)
    answer = await house.admin.post(f"/admin/webhooks/{name}/replay", data={"message": "nonsense"})
    assert answer.status_code == 404
    assert await states(house, name) == {}


async def test_a_time_is_told_again_also_from_before_the_webhook_was_there(house: House) -> None:
    await house.ask()
    await house.placet.shown()
    name = await endpoint(house)
    page = await house.press(
        f"/admin/webhooks/{name}/replay", since="2020-01-01T00:00", until="2090-01-01T00:00"
    )
    assert page.one("div", class_="notice").text.endswith("1 messages.")
    assert list((await states(house, name)).values()) == ["waiting"]


async def test_a_time_that_is_none_is_refused_by_its_field(house: House) -> None:
    name = await endpoint(house)
    at = f"/admin/webhooks/{name}/replay"
    for since, until, told in (
        ("soon", "2090-01-01T00:00", "since: a time"),
        ("2026-01-02T00:00", "2026-01-01T00:00", "until: must come after"),
        ("2026-01-02T00:00", "", "until: a time"),
    ):
        answer = await house.admin.post(at, data={"since": since, "until": until})
        assert answer.status_code == 422
        assert told in answer.text


async def test_a_disabled_endpoint_is_enabled_before_it_is_told_anything(house: House) -> None:
    name = await endpoint(house, status="disabled")
    await delivery(house, name, "msg-1", "held")
    refused = await house.admin.post(f"/admin/webhooks/{name}/replay", data={"message": "msg-1"})
    assert refused.status_code == 409
    page = await house.page(f"/admin/webhooks/{name}")
    assert "Gone." in page.one("div", class_="alert").text
    page = await house.press(f"/admin/webhooks/{name}/enable")
    assert "Enabled" in page.one("div", class_="notice").text
    await house.press(f"/admin/webhooks/{name}/replay", message="msg-1")
    assert await states(house, name) == {"msg-1": "waiting"}


async def test_another_workspace_s_endpoint_is_not_there(house: House, home: House) -> None:
    name = await endpoint(home)
    assert (await house.admin.get(f"/admin/webhooks/{name}")).status_code == 404
    answer = await house.admin.post(f"/admin/webhooks/{name}/enable", data={})
    assert answer.status_code == 404
