"""Keys are kept as hashes, open one workspace each, and end when they are told to."""

import time
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from events.store.database import Database
from services.web import keys as module
from services.web.app import require
from services.web.keys import BOOTSTRAP_PRINCIPAL, Keys, NewKey, new_key, parse_key
from services.web.problems import Problem
from services.web.scopes import SCOPES, Scope

BOOTSTRAP = "a bootstrap key of any form"


@pytest.fixture
def keys(app_db: Database) -> Keys:
    return Keys(app_db, BOOTSTRAP)


async def made(
    keys: Keys,
    *scopes: Scope,
    workspace: str = "acme",
    expires_at: datetime | None = None,
) -> NewKey:
    return await keys.create(
        workspace,
        principal="ops@example.com",
        name="for tests",
        scopes=scopes or ("approvals:read",),
        expires_at=expires_at,
    )


async def test_a_key_opens_its_workspace_for_its_principal(keys: Keys) -> None:
    key = await made(keys, "approvals:read", "approvals:decide")
    principal = await keys.find(key.text)
    assert principal is not None
    assert (principal.workspace, principal.email) == ("acme", "ops@example.com")
    assert principal.key_id == key.key_id
    assert principal.scopes == {"approvals:read", "approvals:decide"}


async def test_no_table_holds_a_key_or_a_hash_that_can_be_guessed(dsn: str, keys: Keys) -> None:
    key = await made(keys)
    assert await keys.find(key.text) is not None
    superuser = await asyncpg.connect(dsn, timeout=10)
    try:
        tables = await superuser.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
            " WHERE schemaname = 'placet'"
        )
        names = {row["name"] for row in tables}
        assert "placet.api_keys" in names
        everything = ""
        for name in names:
            rows = await superuser.fetch(f"SELECT t::text AS row FROM {name} t")  # noqa: S608 # our own tables
            everything += "".join(row["row"] for row in rows)
        assert key.key_id in everything
        for secret in (key.text, key.secret, key.secret.encode().hex(), BOOTSTRAP):
            assert secret not in everything
    finally:
        await superuser.close()


async def test_the_key_of_the_settings_is_an_admin_of_the_default_workspace(keys: Keys) -> None:
    principal = await keys.find(BOOTSTRAP)
    assert principal is not None
    assert (principal.workspace, principal.email) == ("default", BOOTSTRAP_PRINCIPAL)
    assert principal.scopes == set(SCOPES)


@pytest.mark.parametrize("text", ["", "None", BOOTSTRAP])
async def test_without_one_in_the_settings_no_text_is_an_admin(app_db: Database, text: str) -> None:
    assert await Keys(app_db, None).find(text) is None


async def test_a_key_that_was_altered_opens_nothing(keys: Keys) -> None:
    key = await made(keys)
    other = NewKey(key_id=key.key_id, secret=new_key().secret)
    for wrong in (other.text, key.text[:-1], key.text + "0", key.text.swapcase(), f"{key.text} "):
        assert await keys.find(wrong) is None, wrong
    assert await keys.find(key.text) is not None


async def test_a_key_that_was_never_made_opens_nothing(keys: Keys) -> None:
    for wrong in (new_key().text, "plk__", "plk_é_" + "0" * 30, "\ud800", "a" * 100_000):
        assert await keys.find(wrong) is None


async def test_an_expired_key_opens_nothing(keys: Keys) -> None:
    now = datetime.now(UTC)
    over = await made(keys, expires_at=now - timedelta(seconds=1))
    good = await made(keys, expires_at=now + timedelta(hours=1))
    assert await keys.find(over.text) is None
    assert await keys.find(good.text) is not None


async def test_a_revoked_key_opens_nothing_after_a_moment(
    keys: Keys, app_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await made(keys)
    assert await keys.find(key.text) is not None
    assert await keys.revoke("other", key.key_id) is False  # another workspace's is not theirs
    assert await keys.revoke("acme", key.key_id) is True
    assert await keys.revoke("acme", key.key_id) is False
    assert await Keys(app_db, None).find(key.text) is None
    later = time.monotonic() + module.CACHE_S + 1
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    assert await keys.find(key.text) is None


async def test_what_is_remembered_has_a_bound(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SIZE", 10)
    for number in range(35):
        await keys.find(f"nonsense {number}")
    assert len(keys._cache) <= 10


async def test_a_scope_that_is_not_granted_is_refused_by_name(keys: Keys) -> None:
    key = await made(keys, "approvals:read")
    principal = await keys.find(key.text)
    assert principal is not None
    require(principal, "approvals:read")
    for scope in ("approvals:request", "approvals:decide", "admin"):
        with pytest.raises(Problem) as refused:
            require(principal, scope)  # type: ignore[arg-type]  # the loop widens it to a text
        assert (refused.value.status, refused.value.code) == (403, "missing_scope")
        assert scope in refused.value.detail
    admin = await keys.find((await made(keys, "admin")).text)
    assert admin is not None
    for scope in SCOPES:
        require(admin, scope)


def test_a_key_tells_by_itself_that_it_is_one() -> None:
    key = new_key()
    assert parse_key(key.text) == key
    assert key.text.startswith("plk_")
    assert parse_key(f"plk_{key.key_id}_{key.secret}000000") is None
    assert len({new_key().text for _ in range(100)}) == 100
