"""Tells endpoints what became of approvals: signed, retried, each endpoint for itself."""
