"""What Placet is held to, measured beside the limits of the same machine and beside its peers."""
