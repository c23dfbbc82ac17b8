"""A stand-in for Claude Code: it speaks the SDK's control protocol, and its model is a script."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from claude_agent_sdk import Transport


@dataclass(frozen=True)
class ToolUse:
    """A call that the model makes."""

    id: str
    name: str
    input: dict[str, Any]


@dataclass
class ClaudeCode(Transport):
    """One process of Claude Code, which makes these calls at once when it is told anything.

    As the real one it asks the hooks first; a deferred call ends the run, and one that resumes the
    session takes it up by itself. As its documentation says, the deferral of one of several calls
    counts for nothing, and the permission callback is asked.
    """

    uses: list[ToolUse]
    resumes: bool = False
    session: str = "session-1"
    ran: list[ToolUse] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    _out: asyncio.Queue[dict[str, Any] | None] = field(default_factory=asyncio.Queue)
    _answers: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _hooks: list[dict[str, Any]] = field(default_factory=list)
    _turns: set[asyncio.Task[None]] = field(default_factory=set)

    async def connect(self) -> None:
        return

    def is_ready(self) -> bool:
        return True

    async def end_input(self) -> None:
        return

    async def close(self) -> None:
        for turn in self._turns:
            turn.cancel()
        await self._out.put(None)

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self._out.get()) is not None:
            yield message

    async def write(self, data: str) -> None:
        message = json.loads(data)
        match message:
            case {"type": "control_request", "request": {"subtype": "initialize"} as request}:
                self._hooks = (request["hooks"] or {}).get("PreToolUse", [])
                await self._out.put(
                    {
                        "type": "control_response",
                        "response": {
                            "subtype": "success",
                            "request_id": message["request_id"],
                            "response": {"hook_on_failure_supported": True, "hooks_applied": True},
                        },
                    }
                )
                if self.resumes:
                    self._start()
            case {"type": "control_response", "response": response}:
                self._answers.pop(response["request_id"]).set_result(response)
            case {"type": "user"}:
                self._start()

    def _start(self) -> None:
        turn = asyncio.create_task(self._turn())
        self._turns.add(turn)
        turn.add_done_callback(self._turns.discard)

    async def _turn(self) -> None:
        decided = await asyncio.gather(*map(self._decide, self.uses))
        for use, deferred in zip(self.uses, decided, strict=True):
            if deferred:
                await self._result("tool_deferred", deferred_tool_use=vars(use))
                return
        await self._result("end_turn")

    async def _decide(self, use: ToolUse) -> bool:
        """Run a call or refuse it; returns whether it is deferred instead."""
        answer: dict[str, Any] = {}
        for hook in self._hooks:
            if hook["matcher"] != use.name:
                continue
            for callback in hook["hookCallbackIds"]:
                given = {
                    "hook_event_name": "PreToolUse",
                    "session_id": self.session,
                    "transcript_path": "",
                    "cwd": "",
                    "tool_name": use.name,
                    "tool_input": use.input,
                    "tool_use_id": use.id,
                }
                response = await self._ask(
                    subtype="hook_callback", callback_id=callback, input=given, tool_use_id=use.id
                )
                if response["subtype"] == "error" and hook.get("onFailure") == "block":
                    self.refused[use.id] = response["error"]
                    return False
                answer = response.get("response", {}).get("hookSpecificOutput", {})
        match answer.get("permissionDecision"):
            case "allow":
                self.ran.append(ToolUse(use.id, use.name, answer.get("updatedInput", use.input)))
            case "deny":
                self.refused[use.id] = answer["permissionDecisionReason"]
            case "defer" if len(self.uses) == 1:
                return True
            case _:
                await self._permit(use)
        return False

    async def _permit(self, use: ToolUse) -> None:
        response = await self._ask(
            subtype="can_use_tool", tool_name=use.name, input=use.input, tool_use_id=use.id
        )
        match response.get("response"):
            case {"behavior": "allow", "updatedInput": updated}:
                self.ran.append(ToolUse(use.id, use.name, updated))
            case {"behavior": "deny", "message": message}:
                self.refused[use.id] = message
            case _:
                self.refused[use.id] = response["error"]

    async def _ask(self, **request: Any) -> dict[str, Any]:
        request_id = f"cli-{len(self._answers)}-{request['tool_use_id']}-{request['subtype']}"
        self._answers[request_id] = asyncio.get_running_loop().create_future()
        waiting = self._answers[request_id]
        await self._out.put(
            {"type": "control_request", "request_id": request_id, "request": request}
        )
        return await waiting

    async def _result(self, stop_reason: str, **more: Any) -> None:
        await self._out.put(
            {
                "type": "result",
                "subtype": "success",
                "duration_ms": 1,
                "duration_api_ms": 1,
                "is_error": False,
                "num_turns": 1,
                "session_id": self.session,
                "stop_reason": stop_reason,
                **more,
            }
        )
