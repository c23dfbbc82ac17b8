"""E-mail: a card is a message, its buttons are links to a page, and what is over is told once."""
