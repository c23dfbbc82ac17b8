"""Brings cards to approvers, each once, and keeps what they show true until nothing is open."""
