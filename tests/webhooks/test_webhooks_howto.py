"""The programs in the how-to, run as they stand there."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.outgoing.signing import new_secret, sign

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "receive-webhooks.md"
CLIENT = ROOT / "client" / "typescript"
BODY = b'{"type": "approval.decided", "data": {"approval_id": "2zQ0cB4nYk1xW8mPj5sVtR7uHdE"}}'
SECRET = new_secret()
NODE_S = 60


def program(language: str, holds: str) -> str:
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if holds in block]
    return found


def defined(holds: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(program("python", holds), PAGE.name, "exec"), names)  # noqa: S102 - our own page
    return names


def headers(secret: str = SECRET) -> dict[str, str]:
    now = int(time.time())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": sign("msg_1", now, BODY, [secret]),
    }


async def test_the_receiver_with_our_client_takes_a_message_once_and_refuses_forgeries(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "client"))
    monkeypatch.setenv("PLACET_WEBHOOK_SECRET", SECRET)
    app = defined("verify_webhook")["app"]
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://receiver.test") as client:
        statuses = [
            (await client.post("/placet", content=BODY, headers=given)).status_code
            for given in (headers(), headers(), headers(new_secret()), {})
        ]
    assert statuses == [204, 204, 401, 401]
    assert capsys.readouterr().out == "approval.decided 2zQ0cB4nYk1xW8mPj5sVtR7uHdE\n"


def test_the_receiver_with_the_independent_library_verifies() -> None:
    verified = defined("standardwebhooks")["verified"]
    assert verified(BODY, headers(), SECRET) == json.loads(BODY)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_receiver_in_typescript_answers_204_and_401(tmp_path: Path) -> None:
    modules = tmp_path / "node_modules"
    modules.mkdir()
    (modules / "placet-client").symlink_to(CLIENT)
    (tmp_path / "receive.mjs").write_text(program("ts", "verifyWebhook"))
    (tmp_path / "run.mjs").write_text(
        "import { receive } from './receive.mjs';\n"
        "const [body, good, bad] = JSON.parse(process.argv[2]);\n"
        "for (const headers of [good, bad]) {\n"
        "  const said = { method: 'POST', body, headers };\n"
        "  console.log((await receive(new Request('http://receiver.test/', said))).status);\n"
        "}\n"
    )
    given = json.dumps([BODY.decode(), headers(), headers(new_secret())])
    ran = subprocess.run(
        ["node", "run.mjs", given],  # noqa: S607 - the one that was looked for above
        cwd=tmp_path,
        env={"PLACET_WEBHOOK_SECRET": SECRET, "PATH": str(Path(str(shutil.which("node"))).parent)},
        capture_output=True,
        text=True,
        timeout=NODE_S,
        check=False,
    )
    assert ran.stdout.split("\n") == [
        "approval.decided 2zQ0cB4nYk1xW8mPj5sVtR7uHdE",
        "204",
        "401",
        "",
    ]


def test_the_body_shown_has_the_fields_that_the_page_speaks_of() -> None:
    shown = json.loads(program("json", "ordering_key"))
    data = shown["data"]
    assert data["event_id"] == f"{data['approval_id']}.{data['sequence']}"
    assert data["ordering_key"] == data["approval_id"]
    assert data["url"].endswith(f"/approvals/{data['approval_id']}")
