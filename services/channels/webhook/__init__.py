"""Any other program: each card is posted to it as signed JSON, and again whenever it changes."""
