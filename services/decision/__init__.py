"""The decision service: everything that changes an approval comes through here."""
