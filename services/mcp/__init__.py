"""Assistants ask and answer here: MCP tools over the public HTTP API, with the caller's own key."""
