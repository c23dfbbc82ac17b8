"""Microsoft Teams: a card posted to a Workflows URL; it links to Placet and is never edited."""
