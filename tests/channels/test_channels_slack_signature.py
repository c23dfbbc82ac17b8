"""What is Slack's is told by its signature, and by nothing else."""

from datetime import UTC, datetime

import pytest
from slack_sdk.signature import SignatureVerifier

from services.channels.slack.signature import SIGNATURE, TIMESTAMP, NotSigned, verify

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODY = b"payload=%7B%7D"


def headers(age_s: float = 0, secret: str = SECRET, body: bytes = BODY) -> dict[str, str]:
    at = str(int(NOW.timestamp() - age_s))
    signature = SignatureVerifier(secret).generate_signature(timestamp=at, body=body)
    return {TIMESTAMP: at, SIGNATURE: signature or ""}


@pytest.mark.parametrize("age_s", [0, 300, -300])
def test_what_the_vendors_own_signer_signs_is_taken(age_s: float) -> None:
    verify(SECRET, headers(age_s), BODY, NOW)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        headers(age_s=301),
        headers(age_s=-301),
        headers(secret="another"),
        headers(body=b"payload=%7B%22a%22%3A1%7D"),
        headers() | {SIGNATURE: ""},
        headers() | {SIGNATURE: "v0=\u00e9"},
        headers() | {TIMESTAMP: "soon"},
        headers() | {TIMESTAMP: "\u0661\u0662"},
        headers() | {TIMESTAMP: "9" * 400},
        headers() | {TIMESTAMP: "-1"},
        headers() | {TIMESTAMP: "1e3"},
    ],
)
def test_anything_else_is_refused_and_crashes_nothing(sent: dict[str, str]) -> None:
    with pytest.raises(NotSigned):
        verify(SECRET, sent, BODY, NOW)
