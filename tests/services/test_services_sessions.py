"""A session is what we signed, for as long as we said, and no other site's form counts."""

import time

import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.web import session as module
from services.web.problems import Problem
from services.web.session import COOKIE, LASTS_S, Session, Sessions, refuse_cross_site

ANN = Session("default", "ann@example.com")


def sessions(secret: bytes = b"one", *, secure: bool = False) -> Sessions:
    return Sessions(secret, dev_login=True, secure=secure)


def started(by: Sessions, who: Session = ANN) -> str:
    """The header that signs somebody in."""
    response = Response()
    by.start(response, who)
    return response.headers["set-cookie"]


def cookie(by: Sessions, who: Session = ANN) -> str:
    """The cookie's value."""
    return started(by, who).partition("=")[2].partition(";")[0].strip('"')


def request(value: str | None = None, **headers: str) -> Request:
    """A request with a cookie."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    if value is not None:
        given["cookie"] = f"{COOKIE}={value}"
    raw = [(name.encode(), text.encode("latin-1")) for name, text in given.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


def test_whom_we_signed_in_is_signed_in() -> None:
    assert sessions().read(request(cookie(sessions()))) == ANN


@pytest.mark.parametrize("who", [Session("a.b", "x.y@example.com"), Session("ü; =", 'o"@é.com')])
def test_any_name_comes_back_as_it_was(who: Session) -> None:
    assert sessions().read(request(cookie(sessions(), who))) == who


@pytest.mark.parametrize("value", [None, "", ".", "...", "a.b.c.d", "é.b", "x" * 5000])
def test_what_was_never_a_session_is_none(value: str | None) -> None:
    assert sessions().read(request(value)) is None


def test_every_altered_character_ends_a_session() -> None:
    good = cookie(sessions())
    for place in range(len(good)):
        other = "0" if good[place] != "0" else "1"
        altered = good[:place] + other + good[place + 1 :]
        assert sessions().read(request(altered)) is None, place


def test_a_session_of_another_secret_is_none() -> None:
    assert sessions(b"two").read(request(cookie(sessions(b"one")))) is None


def test_parts_of_two_sessions_do_not_make_a_third() -> None:
    ann = cookie(sessions()).split(".")
    eve = cookie(sessions(), Session("default", "eve@example.com")).split(".")
    assert sessions().read(request(".".join([*ann[:3], eve[3]]))) is None
    assert sessions().read(request(".".join([eve[0], ann[1], *eve[2:]]))) is None


def test_a_session_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    value = cookie(sessions())
    began = time.time()
    monkeypatch.setattr(module.time, "time", lambda: began + LASTS_S - 5)
    assert sessions().read(request(value)) == ANN
    monkeypatch.setattr(module.time, "time", lambda: began + LASTS_S + 1)
    assert sessions().read(request(value)) is None


def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http() -> None:
    plain = started(sessions()).lower()
    assert "httponly" in plain
    assert "samesite=lax" in plain
    assert "secure" not in plain
    assert "; secure" in started(sessions(secure=True)).lower()


def test_signing_out_takes_the_cookie_back() -> None:
    response = Response()
    sessions().end(response)
    assert f'{COOKIE}=""' in response.headers["set-cookie"]
    assert "max-age=0" in response.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "https://placet.example.com", "host": "placet.example.com"},
        {},
    ],
)
def test_a_form_of_our_own_is_taken(headers: dict[str, str]) -> None:
    refuse_cross_site(request(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "https://a.example", "host": "a.example"},
        {"origin": "https://evil.example", "host": "placet.example.com"},
        {"origin": "https://placet.example.com.evil.example", "host": "placet.example.com"},
        {"origin": "null", "host": "placet.example.com"},
    ],
)
def test_a_form_that_another_site_sent_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        refuse_cross_site(request(**headers))
    assert (refused.value.status, refused.value.code) == (403, "cross_site")
