"""Read models: what is asked of the events, kept ready, and rebuilt from the store at will."""
