"""What a source file and the settings say of it, and what only the right key opens."""

import base64
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from services.bootstrap.granting import make_connecting
from services.grants.sealing import NotOurs, Seal, TokenPair
from services.settings import HalfConfigured, read_settings
from services.sources.credentials import Secret
from services.sources.loading import parse_source
from services.yaml_files.faults import FileInvalid
from tests.grants.grant_kit import ENVIRON, KEY, OWN_ACCOUNT, SECRET, define, source_file, whose
from tests.pages.fakes import MARIA

PAIR = TokenPair(access=Secret("the access token"), renewal=Secret("the renewal token"))
BASE = {"PLACET_POSTGRES_DSN": "postgresql://u@h/d", "PLACET_KAFKA": "h:9092"}


def faults_of(changes: dict[str, Any]) -> list[str]:
    text = source_file(changes)
    try:
        parse_source(text, "acme.yaml", "w", ENVIRON)
    except FileInvalid as error:
        lines = text.splitlines()
        return [
            f"{lines[int(one.split(':')[1]) - 1].strip().partition(':')[0]}|{one}"
            for one in error.errors
        ]
    return []


def own(**changes: Any) -> dict[str, Any]:
    held = {name: one for name, one in (OWN_ACCOUNT | changes).items() if one is not None}
    return {"act_as": {"user": held}}


@pytest.mark.parametrize(
    ("changes", "line", "sentence"),
    [
        ({"act_as": "me"}, "act_as", "must be `service`, or a mapping that begins with `user:`"),
        ({"act_as": {}}, "act_as", "is missing"),
        ({"decide": None}, "act_as", "is of no use without `decide`"),
        (own(token_url="http://login.acme.test/token"), "token_url", "must be an https URL"),
        (own(authorize_url="https://a:b@c.test/"), "authorize_url", "must not hold a name"),
        (own(authorize_url="https://c.test/#x"), "authorize_url", "must not hold #"),
        (own(client_secret="hunter2"), "client_secret", "is a secret, which no file may hold"),
        (own(client_secret={"env": "NOT_SET"}), "client_secret", "NOT_SET is not set"),
        (own(client_id=None), "user", "is missing"),
        (own(scopes=["a b"]), "- a b", "a character that may not stand here"),
        (own(client_auth="jwt"), "client_auth", "must be 'basic' or 'post'"),
        (own(issuer="x"), "issuer", "is not known here"),
    ],
)
def test_each_fault_is_told_with_its_line(
    changes: dict[str, Any], line: str, sentence: str
) -> None:
    (fault,) = faults_of(changes)
    assert fault.startswith(f"{line}|"), fault
    assert sentence in fault
    assert "hunter2" not in fault


def test_the_service_account_is_what_a_file_says_that_says_nothing() -> None:
    for changes in ({"act_as": "service"}, {"act_as": None}):
        assert define(changes).file.act_as is None
    local = define(own(token_url="http://127.0.0.1:9/token"))
    assert local.file.act_as is not None


def test_the_client_s_secret_is_one_of_the_source_s_secrets() -> None:
    definition = define()
    assert SECRET in definition.secrets
    assert base64.b64encode(f"placet:{SECRET}".encode()).decode() in definition.secrets
    assert SECRET not in repr(definition)


@pytest.mark.parametrize("value", ["x", "aGVsbG8=", "é" * 44, base64.b64encode(b"x" * 31).decode()])
def test_a_key_that_is_none_is_told_with_how_to_make_one(value: str) -> None:
    with pytest.raises(HalfConfigured) as wrong:
        read_settings({**BASE, "PLACET_SECRET_KEY": value})
    (error,) = wrong.value.errors
    assert "PLACET_SECRET_KEY is not 32 bytes in base64. Make one with: python -c" in error
    assert value not in error.replace("base64.b64encode(os", "")[:40]


def test_it_does_not_start_without_a_key_where_tokens_are_to_be_kept() -> None:
    keyed = {**BASE, "PLACET_SECRET_KEY": base64.b64encode(KEY).decode()}
    acting, other = (define(), define({"act_as": None}))
    for environ, source in ((BASE, other), (keyed, acting), (keyed, other)):
        make_connecting(parts_of(environ, source))
    with pytest.raises(HalfConfigured) as wrong:
        make_connecting(parts_of(BASE, acting))
    (error,) = wrong.value.errors
    assert "PLACET_SECRET_KEY is not set, and acme has `act_as: user`. Make one" in error
    settings = read_settings(keyed)
    assert settings.secret_key == KEY
    assert keyed["PLACET_SECRET_KEY"] not in repr(settings)


def parts_of(environ: dict[str, str], source: object) -> Any:
    config = SimpleNamespace(sources=(source,))
    return SimpleNamespace(settings=read_settings(environ), config=config, app_db=None)


def test_what_is_sealed_opens_for_the_same_account_with_the_same_key() -> None:
    seal = Seal(KEY)
    sealed = seal.sealed(PAIR, whose())
    assert Seal(KEY).opened(sealed, whose()) == PAIR
    alone = replace(PAIR, renewal=None)
    assert seal.opened(seal.sealed(alone, whose()), whose()) == alone
    assert b"token" not in sealed
    assert sealed != seal.sealed(PAIR, whose())
    assert "token" not in repr(PAIR).replace("TokenPair", "")


@pytest.mark.parametrize(
    "another",
    [
        whose(MARIA),
        whose(source="another"),
        replace(whose(), workspace="another"),
        # The parts run together to the same text.
        replace(whose(), workspace=whose().workspace + "acme", source=""),
    ],
)
def test_what_is_sealed_opens_for_no_other_account(another: Any) -> None:
    seal = Seal(KEY)
    with pytest.raises(NotOurs):
        seal.opened(seal.sealed(PAIR, whose()), another)


def test_what_is_sealed_opens_with_no_other_key_and_not_once_it_was_changed() -> None:
    sealed = Seal(KEY).sealed(PAIR, whose())
    with pytest.raises(NotOurs):
        Seal(bytes(32)).opened(sealed, whose())
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(NotOurs):
            Seal(KEY).opened(bytes(changed), whose())
    for length in (0, 1, 12, 20, len(sealed) - 1):
        with pytest.raises(NotOurs):
            Seal(KEY).opened(sealed[:length], whose())
