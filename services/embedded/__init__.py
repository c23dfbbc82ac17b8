"""Postgres and a broker of our own, run as child processes by `placet up`."""
