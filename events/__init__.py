"""The language of approvals, the store that keeps it and the log that carries it."""
