"""Posts to addresses that others chose: signed, checked against private networks, and bounded."""
