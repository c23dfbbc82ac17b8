"""What all adapters share: what is asked for a call, and that they need their frameworks."""

import importlib
import subprocess
import sys
from dataclasses import replace

import pytest
from placet import Approval, ArgumentsChanged
from placet.adapters.tool_calls import (
    LONGEST_REASON,
    LONGEST_TITLE,
    LONGEST_TYPE,
    Terms,
    ToolCall,
    answer_of,
)
from placet.digest import payload_digest

from tests.adapters.adapter_kit import Desk

CALL = ToolCall(
    framework="test", run="run-1", call_id="call-1", tool="send_mail", arguments={"to": "bob"}
)
FRAMEWORKS = {
    "pydantic_ai": ("pydantic_ai", "pydantic-ai"),
    "openai_agents": ("agents", "openai-agents"),
    "langgraph": ("langgraph.types", "langgraph"),
    "claude_agent_sdk": ("claude_agent_sdk", "claude-agent-sdk"),
}


def test_a_call_has_the_same_key_whenever_it_is_asked_for() -> None:
    again = ToolCall(
        framework="test", run="run-1", call_id="call-1", tool="send_mail", arguments={"to": "eve"}
    )
    assert again.idempotency_key == CALL.idempotency_key


def test_no_two_calls_have_the_same_key() -> None:
    pairs = [
        ("a", "b"),
        ("b", "b"),
        ("a,b", ""),
        ("", "a,b"),
        ("a:b", "c"),
        ("a", "b:c"),
        ("b", "a"),
    ]
    keys = {replace(CALL, run=run, call_id=one).idempotency_key for run, one in pairs}
    keys.add(replace(CALL, framework="other").idempotency_key)
    assert len(keys) == len(pairs) + 1


def test_a_key_is_short_and_printable_whatever_the_run_is_called() -> None:
    key = replace(CALL, run="ü\n" * 10_000, framework="claude-agent-sdk").idempotency_key
    assert len(key) <= 255
    assert key.isascii()
    assert key.isprintable()


def test_terms_may_name_type_and_title_by_the_call() -> None:
    terms = Terms(type=lambda call: f"tool.{call.tool}", title=lambda call: f"To {call.arguments}")
    ask = terms.ask(CALL)
    assert (ask["type"], ask["title"]) == ("tool.send_mail", "To {'to': 'bob'}")


def test_nothing_is_editable_where_the_framework_takes_no_edits() -> None:
    terms = Terms(editable=True)
    assert terms.ask(CALL)["editable"] is False
    assert terms.ask(replace(CALL, takes_edits=True))["editable"] is True
    assert Terms().ask(replace(CALL, takes_edits=True))["editable"] is None


async def test_texts_of_any_length_are_taken(desk: Desk) -> None:
    call = replace(CALL, tool="t" * 1_000, title="t" * 1_000, reason="r" * 20_000)
    ask = Terms(approvers=["ann@example.com"]).ask(call)
    asked = await (await desk.client()).approvals.create(**ask)
    assert len(asked.type) == LONGEST_TYPE
    assert len(asked.title) == LONGEST_TITLE
    assert len(asked.reason or "") == LONGEST_REASON


def test_arguments_that_are_not_json_are_refused() -> None:
    with pytest.raises(TypeError, match=r"arguments\.to"):
        Terms().ask(replace(CALL, arguments={"to": object()}))


def approved(payload: object, edited: object = None) -> Approval:
    return Approval(
        id="a",
        title="t",
        status="approved",
        payload=payload,
        payload_digest=payload_digest(payload),
        edited_payload=edited,
        edited_payload_digest=None if edited is None else payload_digest(edited),
    )


def test_the_answer_to_a_call_holds_for_its_arguments_only() -> None:
    assert answer_of(CALL, approved({"to": "bob"})).arguments == {"to": "bob"}
    with pytest.raises(ArgumentsChanged):
        answer_of(CALL, approved({"to": "eve"}))


def test_an_edit_counts_for_the_arguments_that_it_was_made_of() -> None:
    call = replace(CALL, takes_edits=True)
    answer = answer_of(call, approved({"to": "bob"}, {"to": "ann"}))
    assert (answer.edited, answer.arguments) == (True, {"to": "ann"})
    with pytest.raises(ArgumentsChanged):
        answer_of(call, approved({"to": "eve"}, {"to": "ann"}))


def test_an_edit_that_the_framework_cannot_run_is_refused() -> None:
    with pytest.raises(ArgumentsChanged):
        answer_of(CALL, approved({"to": "bob"}, {"to": "ann"}))


def test_an_edit_that_is_not_the_one_that_was_approved_is_refused() -> None:
    changed = approved({"to": "bob"}, {"to": "ann"})
    changed["edited_payload"] = {"to": "eve"}
    with pytest.raises(ArgumentsChanged):
        answer_of(replace(CALL, takes_edits=True), changed)


@pytest.mark.parametrize("adapter", FRAMEWORKS)
def test_an_adapter_without_its_framework_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, adapter: str
) -> None:
    module, extra = FRAMEWORKS[adapter]
    monkeypatch.delitem(sys.modules, f"placet.adapters.{adapter}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'placet-client\[{extra}\]'"):
        importlib.import_module(f"placet.adapters.{adapter}")


def test_the_client_itself_imports_no_framework() -> None:
    program = (
        "import sys, placet, placet.adapters, placet.adapters.tool_calls, placet.adapters.pauses;"
        "print([name for name in ('pydantic_ai', 'agents', 'langgraph', 'langchain_core',"
        " 'claude_agent_sdk') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
