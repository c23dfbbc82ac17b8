"""One real Placet for the TypeScript client, and what its tests are told about it."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from events.digest import payload_digest
from services.web.keys import Keys
from services.web.scopes import Scope
from tests.journey.running_placet import placet_running
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres

REQUESTER = "agent@example.com"
APPROVER = "ann@example.com"
ASKS: tuple[Scope, ...] = ("approvals:read", "approvals:request")
ANSWERS: tuple[Scope, ...] = ("approvals:read", "approvals:decide")
PAYLOADS = (
    "{}",
    "[]",
    '{"b":1,"a":2}',
    '{"n":[1e21,1e-7,1e300]}',
    '{"n":[1e21,999999999999999900000.0,1e-6,1e-7,123456789012345680.0]}',
    '{"n":[-0.0,0.0,-0,1.0,100,1.10,5e-324,1.7976931348623157e308,0.1,333333333.33333329]}',
    '{"n":[9007199254740991,-9007199254740991,4.35,2.225073858507201e-308,1e23]}',
    '{"text":"quotes \\" \\\\ / \\b\\f\\n\\r\\t \\u0000\\u001f\\u007f\\u2028"}',
    '{"text":"\\u00e9 e\\u0301 \\u6f22 \\ud83d\\ude00 \\ufeff"}',
    '{"\\ud83d\\ude00":1,"\\ufb33":2,"\\u20ac":3,"\\r":4,"\\u0080":5,"1":6,"\\u00f6":7}',
    '{"10":1,"9":2,"":3,"__proto__":4,"a":{"b":[[],{}],"B":null}}',
    '{"true":true,"false":false,"null":null}',
)
"""JSON as somebody may send it: what differs between languages is in here."""


@pytest.fixture(scope="module")
async def told(
    postgres: TestingPostgres,
    migrated: str,
    broker: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[str, str]]:
    """The environment of the client's tests."""
    vectors = tmp_path_factory.mktemp("typescript") / "vectors.json"
    vectors.write_text(json.dumps({"digests": digests(), "webhook": webhook()}), "utf-8")
    async with (
        postgres.database(template=migrated) as dsn,
        placet_running(dsn, broker) as running,
    ):
        keys = Keys(running.parts.app_db, None)
        yield {
            "PLACET_URL": running.url,
            "PLACET_TEST_REQUESTER": REQUESTER,
            "PLACET_TEST_REQUESTER_KEY": await key(keys, REQUESTER, ASKS),
            "PLACET_TEST_APPROVER": APPROVER,
            "PLACET_TEST_APPROVER_KEY": await key(keys, APPROVER, ANSWERS),
            "PLACET_TEST_VECTORS": str(vectors),
        }


async def key(keys: Keys, principal: str, scopes: tuple[Scope, ...]) -> str:
    """A new key of a person."""
    made = await keys.create(
        "default", principal=principal, name="tests", scopes=scopes, expires_at=None
    )
    return made.text


def digests() -> list[dict[str, str]]:
    """Payloads as JSON, with the digests that the server computes."""
    return [{"text": text, "digest": payload_digest(json.loads(text))} for text in PAYLOADS]


def webhook() -> dict[str, Any]:
    """A webhook as an independent implementation signs it."""
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    at = datetime.now(UTC).replace(microsecond=0)
    body = '{"type":"approval.decided","data":{"approval_id":"a1","title":"Abendessen für 20 €"}}'
    signature = Webhook(secret).sign("msg_2Lh9KRb0pzN4LePd3XiA4v12Axj", at, body)
    return {
        "secret": secret,
        "body": body,
        "at": at.isoformat(),
        "headers": {
            "webhook-id": "msg_2Lh9KRb0pzN4LePd3XiA4v12Axj",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        },
    }
