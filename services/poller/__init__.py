"""The poller: reads systems of record and publishes what it saw."""
