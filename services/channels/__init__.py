"""Where cards go."""
