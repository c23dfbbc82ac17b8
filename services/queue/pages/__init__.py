"""The inbox in a browser: these pages only read, and what a person answers goes to `decision`."""
