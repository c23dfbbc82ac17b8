"""Placet does not start when its sign-in is half configured, or open to anybody by mistake."""

from pathlib import Path

import pytest

from services.settings import HalfConfigured, OidcSettings, read_settings

ENOUGH = {
    "PLACET_POSTGRES_DSN": "postgresql://placet@127.0.0.1/placet",
    "PLACET_KAFKA": "127.0.0.1:9092",
}
ISSUER = "https://login.example.com/realms/acme"
OIDC = {
    "PLACET_OIDC_ISSUER": ISSUER,
    "PLACET_OIDC_CLIENT_ID": "placet",
    "PLACET_OIDC_CLIENT_SECRET": "s3cret of the client",
}


def errors(**environ: str) -> list[str]:
    with pytest.raises(HalfConfigured) as refused:
        read_settings({**ENOUGH, **environ})
    return refused.value.errors


def test_a_provider_is_taken_whole() -> None:
    settings = read_settings({**ENOUGH, **OIDC})
    assert settings.oidc == OidcSettings(
        issuer=ISSUER, client_id="placet", client_secret="s3cret of the client"
    )
    assert "s3cret" not in repr(settings.oidc)
    assert read_settings(ENOUGH).oidc is None


@pytest.mark.parametrize("left_out", sorted(OIDC))
def test_a_provider_that_lacks_something_is_refused_by_its_name(left_out: str) -> None:
    (told,) = errors(**{name: value for name, value in OIDC.items() if name != left_out})
    assert told.startswith(f"{left_out} is not set")


def test_the_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n")
    named = {name: value for name, value in OIDC.items() if "SECRET" not in name}
    found = read_settings({**ENOUGH, **named, "PLACET_OIDC_CLIENT_SECRET_FILE": str(file)})
    assert found.oidc is not None
    assert found.oidc.client_secret == "from a file"
    (twice,) = errors(**OIDC, PLACET_OIDC_CLIENT_SECRET_FILE=str(file))
    assert "leave one of them out" in twice
    file.write_text(" \n")
    (empty,) = errors(**named, PLACET_OIDC_CLIENT_SECRET_FILE=str(file))
    assert "there is nothing in it" in empty
    (absent,) = errors(**named, PLACET_OIDC_CLIENT_SECRET_FILE=str(tmp_path / "none"))
    assert absent.startswith("PLACET_OIDC_CLIENT_SECRET_FILE")


@pytest.mark.parametrize(
    "issuer",
    [
        "login.example.com",
        "http://login.example.com",
        "https://login.example.com/?realm=acme",
        "https://login.example.com/#x",
        "ftp://login.example.com",
    ],
)
def test_an_issuer_that_is_none_is_refused(issuer: str) -> None:
    (told,) = errors(**{**OIDC, "PLACET_OIDC_ISSUER": issuer})
    assert told.startswith("PLACET_OIDC_ISSUER ")


@pytest.mark.parametrize("issuer", [f"{ISSUER}/", "http://localhost:8090", "http://127.0.0.1:80"])
def test_an_issuer_is_taken_as_it_calls_itself(issuer: str) -> None:
    found = read_settings({**ENOUGH, **OIDC, "PLACET_OIDC_ISSUER": issuer}).oidc
    assert found is not None
    assert found.issuer == issuer


def test_a_sign_in_for_anybody_is_not_opened_to_everybody_by_mistake() -> None:
    public = {"PLACET_PUBLIC_URL": "https://placet.example.com", "PLACET_DEV_LOGIN": "1"}
    (told,) = errors(**public)
    assert told.startswith("PLACET_DEV_LOGIN ")
    assert "PLACET_DEV_LOGIN_IN_PUBLIC=1" in told
    assert read_settings({**ENOUGH, **public, "PLACET_DEV_LOGIN_IN_PUBLIC": "1"}).dev_login
    at_home = {**public, "PLACET_PUBLIC_URL": "http://127.0.0.1:8080"}
    assert read_settings({**ENOUGH, **at_home}).dev_login
