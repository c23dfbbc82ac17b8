"""Signatures of pushed records, held against the independent `standardwebhooks` package."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from services.sources.signature import NotSigned, Unsuitable, signing_key, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = '{"id":"r1","note":"é"}'


def headers(
    body: str = BODY, *, secret: str = SECRET, at: datetime = NOW, message_id: str = "msg_1"
) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body),
    }


def test_what_the_other_implementation_signs_is_accepted() -> None:
    assert verify(SECRET, headers(), BODY.encode(), NOW) == "msg_1"


def test_a_secret_without_padding_is_the_same_secret() -> None:
    key = b"17 bytes of a key"
    padded = "whsec_" + base64.b64encode(key).decode()
    assert padded.endswith("=")
    assert signing_key(padded.rstrip("=")) == signing_key(padded) == key
    assert verify(padded.rstrip("="), headers(secret=padded), BODY.encode(), NOW) == "msg_1"


def test_one_good_signature_of_several_is_enough() -> None:
    given = headers()
    good = given["webhook-signature"]
    bad = headers(secret=OTHER)["webhook-signature"]
    for signatures in (f"{bad} {good}", f"v1a,xyz {good}", f"v1,!! {bad} {good} {bad}"):
        assert verify(SECRET, {**given, "webhook-signature": signatures}, BODY.encode(), NOW)


@pytest.mark.parametrize("offset", [-300, 300])
def test_a_message_within_five_minutes_is_in_time(offset: int) -> None:
    at = NOW + timedelta(seconds=offset)
    assert verify(SECRET, headers(at=at), BODY.encode(), NOW)


@pytest.mark.parametrize("offset", [-301, 301])
def test_a_message_beyond_five_minutes_is_not(offset: int) -> None:
    at = NOW + timedelta(seconds=offset)
    with pytest.raises(NotSigned, match="more than 5 minutes off"):
        verify(SECRET, headers(at=at), BODY.encode(), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-signature": "v1," + "A" * 44},
        {"webhook-id": ""},
        {"webhook-id": "msg_2"},
        {"webhook-id": "é"},
        {"webhook-id": "x" * 300},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "-5"},
        {"webhook-timestamp": "٤٥"},
        {"webhook-timestamp": "9" * 40},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
    ],
)
def test_what_was_changed_on_the_way_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(NotSigned):
        verify(SECRET, headers() | change, BODY.encode(), NOW)


def test_another_body_and_another_secret_are_refused() -> None:
    with pytest.raises(NotSigned, match="no signature fits"):
        verify(SECRET, headers(), BODY.encode() + b" ", NOW)
    with pytest.raises(NotSigned, match="no signature fits"):
        verify(OTHER, headers(), BODY.encode(), NOW)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_!"]
)
def test_a_weak_or_broken_secret_is_unsuitable_and_not_repeated(secret: str) -> None:
    with pytest.raises(Unsuitable) as caught:
        signing_key(secret)
    assert "c2hvcnQ" not in str(caught.value)
