import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from services.outgoing.signing import BadSecret, check_secret, new_secret, sign
from services.sources import signature

BODY = '{"type":"approval.decided","data":{"why":"zu spät … 完了"}}'.encode()


def headers(signature: str, *, message_id: str = "msg_1", at: int | None = None) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at if at is not None else int(time.time())),
        "webhook-signature": signature,
    }


def secret_of(size: int) -> str:
    return "whsec_" + base64.b64encode(b"k" * size).decode()


def test_a_new_secret_holds_32_random_bytes_and_no_two_are_the_same() -> None:
    first, second = new_secret(), new_secret()
    check_secret(first)
    assert first != second
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32


def test_the_independent_library_accepts_what_we_sign() -> None:
    secret, now = new_secret(), int(time.time())
    signed = sign("msg_1", now, BODY, [secret])
    found = Webhook(secret).verify(BODY, headers(signed, at=now))
    assert found["type"] == "approval.decided"


def test_our_own_verification_accepts_what_we_sign() -> None:
    from datetime import UTC, datetime

    secret, now = new_secret(), datetime.now(UTC)
    found = headers(sign("msg_1", int(now.timestamp()), BODY, [secret]), at=int(now.timestamp()))
    assert signature.verify(secret, found, BODY, now) == "msg_1"


def test_while_a_secret_rotates_the_old_and_the_new_one_both_verify_and_no_third() -> None:
    old, new, now = new_secret(), new_secret(), int(time.time())
    signed = sign("msg_1", now, BODY, [new, old])
    assert len(signed.split(" ")) == 2
    for secret in (old, new):
        Webhook(secret).verify(BODY, headers(signed, at=now))
    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(new_secret()).verify(BODY, headers(signed, at=now))


def test_a_signature_holds_for_this_id_this_time_and_this_body_only() -> None:
    secret, now = new_secret(), int(time.time())
    signed = sign("msg_1", now, BODY, [secret])
    receiver = Webhook(secret)
    for body, found in (
        (BODY + b" ", headers(signed, at=now)),
        (BODY, headers(signed, at=now, message_id="msg_2")),
        (BODY, headers(signed, at=now - 1)),
    ):
        with pytest.raises(WebhookVerificationError, match="No matching"):
            receiver.verify(body, found)


def test_every_item_has_its_version_and_a_comma_as_readers_expect_without_asking() -> None:
    """The library raises a bare ValueError for an item without a comma."""
    signed = sign("msg_1", 1_700_000_000, BODY, [new_secret(), new_secret()])
    for item in signed.split(" "):
        version, comma, encoded = item.partition(",")
        assert (version, comma) == ("v1", ",")
        assert len(base64.b64decode(encoded, validate=True)) == 32


def test_the_time_is_that_of_the_attempt_wherever_the_sender_runs() -> None:
    """The library's own signer reads an aware time as if it were UTC; whole seconds cannot err."""
    secret = secret_of(32)
    assert sign("m", 1_700_000_000, b"{}", [secret]) == (
        "v1," + base64.b64encode(_hmac(b"k" * 32, b"m.1700000000.{}")).decode()
    )


def _hmac(key: bytes, data: bytes) -> bytes:
    import hmac

    return hmac.digest(key, data, "sha256")


@pytest.mark.parametrize("message_id", ["", "a.b", "ü"])
def test_an_id_that_could_be_read_as_another_message_is_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="without a dot"):
        sign(message_id, 1, b"{}", [new_secret()])


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="at least one secret"):
        sign("msg_1", 1, b"{}", [])


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_of_24_to_64_bytes_is_accepted(size: int) -> None:
    check_secret(secret_of(size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        secret_of(23),
        secret_of(65),
        secret_of(32).removeprefix("whsec_"),
        secret_of(32)[:-1],
        secret_of(32) + "\n",
        "whsec_" + "!" * 44,
        "whsec_" + "ü" * 44,
        "whpk_" + base64.b64encode(b"k" * 32).decode(),
    ],
)
def test_any_other_text_is_a_bad_secret_and_the_message_does_not_tell_it(text: str) -> None:
    with pytest.raises(BadSecret) as caught:
        check_secret(text)
    assert "24 to 64" in str(caught.value)
    assert not text.removeprefix("whsec_") or text.removeprefix("whsec_") not in str(caught.value)
