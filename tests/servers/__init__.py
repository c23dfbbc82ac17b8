"""Servers that the tests run against: brokers, Postgres, and a proxy that spoils connections."""
