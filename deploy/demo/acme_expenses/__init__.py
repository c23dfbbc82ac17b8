"""Acme Expenses: a small expense system with its own pages, API and data, made to be mirrored."""
