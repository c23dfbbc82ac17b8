"""Tests that break things under load, and the checker that reads the history afterwards."""
