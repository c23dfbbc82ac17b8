"""What the client computes by itself: digests, errors, settings, and what a gate refuses to be."""

import copy
import enum
import inspect
import pickle
import subprocess
import sys
from collections import UserDict
from decimal import Decimal
from pathlib import Path
from typing import Any

import placet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from placet import (
    AlreadyCarriedOut,
    AlreadyResolved,
    Approval,
    ArgumentsChanged,
    AsyncPlacet,
    Expired,
    Invalid,
    NotApproved,
    NotDecidedInTime,
    Placet,
    PlacetError,
    Rejected,
    Unavailable,
    Withdrawn,
    WrongAddress,
    WrongKey,
    payload_digest,
    requires_approval,
)
from placet.arguments import Arguments
from placet.json_values import DEEPEST, plain_json

from events import digest as of_the_server

WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(JSON)
def test_the_digest_is_the_servers(payload: Any) -> None:
    assert payload_digest(payload) == of_the_server.payload_digest(payload)
    assert plain_json(payload, "payload") == payload


class Colour(enum.StrEnum):
    RED = "red"


def test_a_plain_copy_shares_nothing_and_keeps_no_other_types() -> None:
    inner = [1, (2, 3)]
    value = UserDict({"list": inner, "colour": Colour.RED, "yes": True, "none": None})
    copied = plain_json(value, "here")
    assert copied == {"list": [1, [2, 3]], "colour": "red", "yes": True, "none": None}
    assert type(copied["colour"]) is str
    inner.append(4)
    assert copied["list"] == [1, [2, 3]]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [{"b": {1, 2}}]}, r"here\.a\[0\]\.b: set"),
        ({"a": Decimal(1)}, r"here\.a: Decimal"),
        ({"a": b""}, r"here\.a: bytes"),
        ({"a": float("inf")}, r"here\.a"),
        ({"a": -(2**53)}, r"here\.a"),
        ({None: 1}, "here: the key None"),
        ({"a": "\ud800"}, r"here\.a: text"),
        ({"\ud800": 1}, "here: text"),
        (object(), "here: object"),
    ],
)
def test_what_is_no_json_is_named(value: object, where: str) -> None:
    with pytest.raises(TypeError, match=where):
        plain_json(value, "here")


def test_what_is_part_of_itself_is_named() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match="part of itself"):
        plain_json(endless, "here")
    deep: Any = 0
    for _ in range(DEEPEST):
        deep = [deep]
    assert plain_json(deep, "here") == deep


APPROVAL = Approval(
    id="a" * 27,
    title="Send",
    status="rejected",
    decided_by="ann@example.com",
    decision_reason="No",
    superseded_by="b" * 27,
    withdrawn_reason="Superseded",
)


@pytest.mark.parametrize(
    "error",
    [
        *(kind(APPROVAL) for kind in (Rejected, Withdrawn, Expired, NotDecidedInTime)),
        AlreadyCarriedOut(APPROVAL),
        AlreadyResolved("late", status=409, code="already_resolved", approval=APPROVAL),
        Invalid("wrong", status=422, errors=[{"pointer": "/a", "detail": "no"}]),
        Unavailable("away", retry_after=3.0),
        ArgumentsChanged("other"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_reach_another_process_whole(error: PlacetError) -> None:
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 # our own
        assert type(copied) is type(error)
        assert str(copied) == str(error) != ""
        assert copied.__dict__ == error.__dict__


def test_outcomes_say_who_why_and_what_instead() -> None:
    assert "rejected by ann@example.com: No" in str(Rejected(APPROVAL))
    withdrawn = Withdrawn(APPROVAL)
    assert (withdrawn.reason, withdrawn.superseded_by) == ("Superseded", "b" * 27)
    assert "superseded by bbb" in str(withdrawn)
    for status in ("pending", "deciding", "rejected", "withdrawn", "expired", "something new"):
        approval = Approval(APPROVAL, status=status)
        with pytest.raises(NotApproved):
            approval.require_approved()
        with pytest.raises(NotApproved):
            approval.check({})


def test_every_error_is_one_of_ours_and_exported() -> None:
    errors = {
        name
        for name, one in vars(sys.modules["placet.errors"]).items()
        if inspect.isclass(one) and issubclass(one, PlacetError)
    }
    assert errors <= set(placet.__all__)
    assert len(errors) > 10


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLACET_URL", raising=False)
    monkeypatch.delenv("PLACET_KEY", raising=False)
    with pytest.raises(WrongKey, match="PLACET_KEY"):
        Placet()
    monkeypatch.setenv("PLACET_KEY", " plk_a\n")
    with Placet() as client:
        assert (client.settings.url, client.settings.key) == ("http://127.0.0.1:8080", "plk_a")
    monkeypatch.setenv("PLACET_URL", "https://placet.example.com/under/")
    with Placet(key="plk_b") as client:
        assert client.settings.url == "https://placet.example.com/under"
        assert client.settings.key == "plk_b"


@pytest.mark.parametrize(
    "url",
    ["ftp://s3", "s3", "http://", "http://s3@a", "http://a?key=s3", "http://a#s3", "http://a:s3"],
)
def test_what_is_no_address_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(WrongAddress) as caught:
        Placet(url, "plk_a")
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " ", "plk_ä", "plk_a plk_b", "plk_a\nX: y"])
def test_what_is_no_key_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(WrongKey) as caught:
        Placet("http://a", key)
    assert "plk_" not in str(caught.value)


@pytest.mark.parametrize("more", [{"timeout": 0}, {"timeout": -1}, {"attempts": 0}])
def test_limits_must_be_some(more: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(more))):
        Placet("http://a", "plk_a", **more)  # type: ignore[arg-type] # which one varies


def noted(a: int, /, b: str = "b", *rest: int, c: bool, **more: str) -> tuple[Any, ...]:
    return a, b, rest, c, more


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((1,), {"c": True}), ((1, "x", 3, 4), {"c": False, "d": "e"})],
)
def test_arguments_of_every_kind_become_a_payload_and_come_back(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    arguments = Arguments(noted, ())
    bound = arguments.bind(args, kwargs)
    payload = arguments.payload(bound)
    assert list(payload) == ["a", "b", "rest", "c", "more"]
    shuffled = dict(reversed(payload.items()))
    again_args, again_kwargs = arguments.edited(bound, shuffled)
    assert noted(*again_args, **again_kwargs) == noted(*args, **kwargs)


@pytest.mark.parametrize(
    "edit",
    [{"rest": 1}, {"rest": "12"}, {"more": []}, {"unknown": 1}, None],
)
def test_an_edit_that_does_not_fit_is_refused(edit: dict[str, Any] | None) -> None:
    arguments = Arguments(noted, ())
    bound = arguments.bind((1,), {"c": True})
    payload = None if edit is None else {**arguments.payload(bound), **edit}
    with pytest.raises(ArgumentsChanged):
        arguments.edited(bound, payload)
    short = arguments.payload(bound)
    del short["b"]
    with pytest.raises(ArgumentsChanged):
        arguments.edited(bound, short)


class Sender:
    def send(self, db: object, to: list[str]) -> tuple["Sender", object, list[str]]:
        return self, db, to


def test_what_is_left_out_is_kept_as_it_is() -> None:
    arguments = Arguments(Sender.send, ["db"])
    sender, db = Sender(), object()
    bound = arguments.bind((sender, db, ["a"]), {})
    assert arguments.payload(bound) == {"to": ["a"]}
    args, kwargs = arguments.edited(bound, {"to": ["b"]})
    assert Sender.send(*args, **kwargs) == (sender, db, ["b"])
    with pytest.raises(TypeError, match="argument db: object is not JSON"):
        Arguments(Sender.send, ()).payload(bound)
    with pytest.raises(TypeError, match="nothing"):
        Arguments(Sender.send, ["nothing"])


def test_what_cannot_be_gated_is_refused_at_once() -> None:
    def plain(a: int) -> int:
        return a

    async def coroutine(a: int) -> int:  # its kind is the point
        return a

    def generator(a: int) -> Any:
        yield a

    with Placet("http://a", "plk_a") as blocking:
        with pytest.raises(TypeError, match="AsyncPlacet"):
            requires_approval(type="t", client=blocking)(coroutine)
        with pytest.raises(TypeError, match="generator"):
            requires_approval(type="t", client=blocking)(generator)
        with pytest.raises(TypeError, match="leave_out"):
            requires_approval(type="t", leave_out=["b"])(plain)
        with pytest.raises(TypeError, match="editable"):
            requires_approval(type="t", editable=True, payload=dict)(plain)
        for timeout in (0, -1, float("inf"), float("nan")):
            with pytest.raises(ValueError, match="timeout"):
                requires_approval(type="t", timeout=timeout)(plain)
    with pytest.raises(TypeError, match="AsyncPlacet"):
        requires_approval(type="t", client=AsyncPlacet("http://a", "plk_a"))(plain)
    gated = requires_approval(type="t", client=lambda: AsyncPlacet("http://a", "plk_a"))(plain)
    with pytest.raises(TypeError, match="AsyncPlacet"):
        gated(1)
    with pytest.raises(TypeError, match="missing a required argument"):
        gated()


def test_a_gated_function_still_looks_like_itself() -> None:
    @requires_approval(type="t")
    def send(to: str) -> None:
        """Send it."""

    assert (send.__name__, send.__doc__) == ("send", "Send it.")
    assert list(inspect.signature(send).parameters) == ["to"]

    @requires_approval(type="t")
    async def send_later(to: str) -> None: ...

    assert inspect.iscoroutinefunction(send_later)


def test_importing_it_reads_nothing_and_needs_none_of_the_servers_packages() -> None:
    program = (
        "import sys, socket\n"
        "def no(*_, **__): raise AssertionError('I/O at import')\n"
        "socket.socket.connect = no\n"
        "import placet\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(placet.__file__).parents[1],
        env={},
    ).stdout.split()
    assert "placet" in printed
    unwanted = {"services", "events", "projections", "fastapi", "msgspec", "pydantic", "asyncpg"}
    assert unwanted & set(printed) == set()
