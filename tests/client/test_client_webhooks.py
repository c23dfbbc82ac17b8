"""A webhook is believed only when a known secret signed exactly this, lately."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from placet import BadSignature, verify_webhook
from standardwebhooks import Webhook

from services.outgoing.signing import sign

OLD = "whsec_" + base64.b64encode(b"an-old-secret-of-24-bytes").decode()
NEW = "whsec_" + base64.b64encode(b"a-new-secret-of--24-bytes").decode()
BODY = json.dumps({"type": "approval.decided", "data": {"status": "approved"}}).encode()
NOW = 1_900_000_000


def signature(secret: str, *, body: bytes = BODY, at: int = NOW, message: str = "a.1") -> str:
    signed = Webhook(secret).sign(message, datetime.fromtimestamp(at, UTC), body.decode())
    return str(signed)


def headers(*signatures: str, at: str | int = NOW, message: str = "msg_1") -> dict[str, str]:
    return {
        "Webhook-Id": message,
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": " ".join(signatures),
    }


def signed(secret: str = NEW, **more: object) -> str:
    return signature(secret, message="msg_1", **more)  # type: ignore[arg-type] # of signature


def test_what_an_independent_signer_signed_is_read() -> None:
    said = verify_webhook(BODY, headers(signed()), NEW, now=NOW)
    assert said == {"type": "approval.decided", "data": {"status": "approved"}}


def test_what_placet_signs_is_read() -> None:
    sent = sign("msg_1", NOW, BODY, [NEW, OLD])
    for secret in (OLD, NEW):
        assert verify_webhook(BODY, headers(sent), secret, now=NOW)


def test_while_secrets_rotate_either_will_do() -> None:
    both = headers(signed(OLD), signed(NEW))
    for secrets in (OLD, NEW, [NEW, OLD]):
        assert verify_webhook(BODY, both, secrets, now=NOW)
    assert verify_webhook(BODY, headers(signed(OLD)), [NEW, OLD], now=NOW)
    assert verify_webhook(BODY, headers(signed(OLD)), (NEW, OLD), now=NOW)


def test_signatures_of_other_kinds_are_skipped() -> None:
    others = ("v1a,c2ln", "nothing", "v1", "v1,", "v1,%%%", ",", "v2,c2ln", "v1,ä")
    assert verify_webhook(BODY, headers(*others, signed()), NEW, now=NOW)
    with pytest.raises(BadSignature):
        verify_webhook(BODY, headers(*others), NEW, now=NOW)


@pytest.mark.parametrize(
    ("body", "given"),
    [
        (BODY + b" ", headers(signed())),
        (BODY, headers(signed(OLD))),
        (BODY, headers(signed(), message="msg_2")),
        (BODY, headers(signed(), at=NOW + 1)),
        (BODY, headers(signed().replace("v1,", "v2,"))),
        (BODY, headers(signed()[:-4])),
        (BODY, headers("")),
        (BODY, {}),
        (BODY, {**headers(signed()), "Webhook-Id": ""}),
        (BODY, headers(signed(), message="\udc80")),
        *(
            (BODY, headers(signed(), at=odd))
            for odd in ("", "soon", "1.9e9", "-5", " 1900000000", "1900000000\n", "٣", "9" * 400)
        ),
    ],
)
def test_anything_odd_is_one_and_the_same_error(body: bytes, given: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify_webhook(body, given, NEW, now=NOW)


def test_what_was_signed_long_ago_or_in_the_future_is_refused() -> None:
    for at in (NOW - 300, NOW + 300):
        assert verify_webhook(BODY, headers(signed(at=at), at=at), NEW, now=NOW)
    for at in (NOW - 301, NOW + 301):
        with pytest.raises(BadSignature, match="clock"):
            verify_webhook(BODY, headers(signed(at=at), at=at), NEW, now=NOW)
    late = headers(signed(at=NOW - 3000), at=NOW - 3000)
    assert verify_webhook(BODY, late, NEW, tolerance_s=3600, now=NOW)
    present = int(time.time())
    assert verify_webhook(BODY, headers(signed(at=present), at=present), NEW)


def test_parts_cannot_be_moved_from_one_field_into_another() -> None:
    # What is signed is id.timestamp.body: with a dot in an id it could be cut in two ways.
    body = b'5.{"a": 1}'
    whole = signature(NEW, body=body, message="msg_1", at=NOW)
    shifted = headers(whole, message=f"msg_1.{NOW}", at="5")
    with pytest.raises(BadSignature):
        verify_webhook(b'{"a": 1}', shifted, NEW, now=5)


@pytest.mark.parametrize("body", [b"", b"[1]", b"nothing"])
def test_what_is_signed_but_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadSignature, match="no JSON"):
        verify_webhook(body, headers(signed(body=body)), NEW, now=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_%%", [], ["whsec_"]])
def test_a_secret_that_is_none_is_the_receivers_own_mistake(secret: str | list[str]) -> None:
    with pytest.raises(ValueError, match="secret"):
        verify_webhook(BODY, headers(signed()), secret, now=NOW)
