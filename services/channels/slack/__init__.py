"""Slack: a card is a direct message with buttons; what is pressed comes back signed."""
