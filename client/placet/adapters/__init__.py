"""Adapters: a tool call that a framework holds back becomes an approval, and its answer goes back.

Each module needs its framework: `pip install 'placet-client[pydantic-ai]'`, `[openai-agents]`,
`[langgraph]`, `[langchain]` or `[claude-agent-sdk]`.
"""
