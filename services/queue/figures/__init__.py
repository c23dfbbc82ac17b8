"""How long approvals take, and what became of them: counted by the day, shown as figures."""
