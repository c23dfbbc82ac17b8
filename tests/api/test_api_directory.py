"""What types and policies say of how they are answered, as callers read it."""

from pathlib import Path

import httpx2
from starlette.requests import Request

from services.config import read_config
from services.directory import FixedDirectories
from services.queue.directory import directory_router
from services.web.app import make_app
from services.web.keys import Principal

PLACET_YAML = """
people: [{email: ann@example.com}]
types: [payout.yaml, plain.yaml]
policies: [payouts.yaml, plain_too.yaml]
"""
PAYOUT = """
name: payout
version: 1
title: A payout
undo: 500ms
assurance: session
sensitive: [/iban]
"""
PLAIN = """
name: plain
version: 1
title: Anything
decide_from_link: true
"""
POLICY = """
version: 1
steps: [{name: finance, approvers: [ann@example.com]}]
fallback: [ann@example.com]
"""


async def test_types_and_policies_tell_how_they_can_be_answered(tmp_path: Path) -> None:
    for name, text in (
        ("placet.yaml", PLACET_YAML),
        ("payout.yaml", PAYOUT),
        ("plain.yaml", PLAIN),
        (
            "payouts.yaml",
            f"name: payouts\napplies_to: {{types: [payout]}}\nassurance: step_up{POLICY}",
        ),
        ("plain_too.yaml", f"name: plain_too\napplies_to: {{types: [plain]}}{POLICY}"),
    ):
        (tmp_path / name).write_text(text)
    config = read_config(tmp_path / "placet.yaml", {})
    caller = Principal(
        workspace="default",
        email="ann@example.com",
        key_id="k",
        scopes=frozenset(("approvals:read",)),
    )

    async def authenticate(_: Request) -> Principal:
        return caller

    people = FixedDirectories("default", config.directory)
    app = make_app([directory_router(config.types, config.policies, people, authenticate)])
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://placet"
    ) as client:
        types = (await client.get("/v1/types")).json()["data"]
        policies = (await client.get("/v1/policies")).json()["data"]
    told = ("assurance", "undo", "decide_from_link", "sensitive")
    assert [tuple(one[name] for name in told) for one in types] == [
        ("session", 0.5, False, ["/iban"]),
        (None, None, True, []),
    ]
    assert [one["assurance"] for one in policies] == ["step_up", None]
