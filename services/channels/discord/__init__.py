"""Discord: a direct message with buttons, edited when what it says changes; no SDK."""
