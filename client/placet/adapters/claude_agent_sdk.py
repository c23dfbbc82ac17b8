"""Claude Agent SDK: tool calls are asked for in Placet, by a hook that can come back later.

The hook defers a call that nobody has decided on, which ends the run. Resume its session without
a prompt once the call is decided: the hook finds the answer. Claude Code takes up one deferred call
of a session; of several that a model made at once, the others do not run. Where it does not defer,
it goes by its permissions: the permission callback waits for those calls in the process. As it is
not called for what is allowed anyway, `guard` refuses such options.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from placet import AsyncPlacet
from placet.adapters.tool_calls import (
    ANY_TERMS,
    Terms,
    ToolCall,
    acknowledge,
    answers,
    answers_within,
    settled,
)

try:
    from claude_agent_sdk import (
        ClaudeAgentOptions,
        HookContext,
        HookInput,
        HookMatcher,
        PermissionResult,
        PermissionResultAllow,
        PermissionResultDeny,
        ResultMessage,
        ToolPermissionContext,
    )
    from claude_agent_sdk.types import PreToolUseHookSpecificOutput, SyncHookJSONOutput
except ImportError as error:
    raise ImportError(
        "This adapter needs claude-agent-sdk: pip install 'placet-client[claude-agent-sdk]'"
    ) from error

FRAMEWORK = "claude-agent-sdk"
BESIDE_WAITING_S = 60.0
"""What the hook may take beside its patience, in seconds; the framework's own default."""
_ASKING_MODES: Final = (None, "default", "plan", "dontAsk")


class ToolGate:
    """The hook and the permission callback of one client: make one for each.

    `tools` is a regular expression over tool names, as in `HookMatcher`. The hook waits `patience`
    seconds before it defers; the callback waits `terms.timeout` seconds, then it denies.
    """

    def __init__(
        self,
        client: AsyncPlacet,
        *,
        tools: str,
        terms: Terms = ANY_TERMS,
        patience: float = 0,
        session: str = "",
    ) -> None:
        self._client = client
        self._tools = tools
        self._terms = terms
        self._patience = patience
        # The permission callback is not told the session; the hook is, and comes first.
        self._session = session

    def guard(self, options: ClaudeAgentOptions) -> ClaudeAgentOptions:
        """Return options with this gate in them.

        Raises `ValueError` where they let a guarded tool run without asking.
        """
        if options.can_use_tool:
            raise ValueError("can_use_tool: the gate brings its own; leave it out.")
        if options.permission_mode not in _ASKING_MODES:
            raise ValueError(
                f"permission_mode {options.permission_mode!r}: it allows calls that nobody was"
                " asked for, when a model makes several at once. Use 'default'."
            )
        for rule in options.allowed_tools:
            if re.fullmatch(self._tools, rule.partition("(")[0]):
                raise ValueError(
                    f"allowed_tools {rule!r}: what is allowed runs without asking, when a model"
                    " makes several calls at once. Leave it out: the gate allows what is approved."
                )
        matcher = HookMatcher(
            matcher=self._tools,
            hooks=[self.pre_tool_use],
            timeout=self._patience + BESIDE_WAITING_S,
            on_failure="block",
        )
        hooks = dict(options.hooks or {})
        hooks["PreToolUse"] = [*hooks.get("PreToolUse", []), matcher]
        return dataclasses.replace(options, hooks=hooks, can_use_tool=self.can_use_tool)

    async def until_decided(self, result: ResultMessage) -> bool:
        """Wait until the call is decided that a run was deferred for; False: there is none.

        Then resume the session. Raises `NotDecidedInTime` after `terms.timeout` seconds.
        """
        deferred = result.deferred_tool_use
        if deferred is None:
            return False
        self._session = result.session_id
        call = self._call(deferred.name, deferred.input, deferred.id)
        await self._client.run(answers(self._client.settings, [call], self._terms))
        return True

    async def pre_tool_use(
        self, told: HookInput, tool_use_id: str | None, _context: HookContext
    ) -> SyncHookJSONOutput:
        """Allow what was approved, with the approver's arguments; deny, or defer to later."""
        if told["hook_event_name"] != "PreToolUse":
            return {}
        self._session = told["session_id"]
        call = self._call(told["tool_name"], told["tool_input"], tool_use_id or told["tool_use_id"])
        settings = self._client.settings
        given = await self._client.run(
            answers_within(settings, [call], self._terms, self._patience)
        )
        output: PreToolUseHookSpecificOutput = {
            "hookEventName": "PreToolUse",
            "permissionDecision": "defer",
            "permissionDecisionReason": "This call waits for approval.",
        }
        for answer in given:
            if answer.approved:
                output["permissionDecision"] = "allow"
                output["permissionDecisionReason"] = f"Approved by {answer.by}."
                if answer.edited:
                    output["updatedInput"] = answer.arguments
            else:
                output["permissionDecision"] = "deny"
                output["permissionDecisionReason"] = answer.denial
        await self._client.run(acknowledge(settings, given))
        return {"hookSpecificOutput": output}

    async def can_use_tool(
        self, tool: str, arguments: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResult:
        """Wait for the answer in this process; after `terms.timeout` seconds it is a denial."""
        call = self._call(tool, arguments, context.tool_use_id or "")
        settings = self._client.settings
        answer = await self._client.run(settled(settings, call, self._terms))
        await self._client.run(acknowledge(settings, [answer]))
        if not answer.approved:
            return PermissionResultDeny(message=answer.denial)
        return PermissionResultAllow(updated_input=answer.arguments if answer.edited else None)

    def _call(self, tool: str, arguments: Mapping[str, Any], tool_use_id: str) -> ToolCall:
        if not tool_use_id:
            raise ValueError(f"{tool}: a call needs an id to be asked for.")
        return ToolCall(
            framework=FRAMEWORK,
            run=self._session,
            call_id=tool_use_id,
            tool=tool,
            arguments=arguments,
            takes_edits=True,
        )
