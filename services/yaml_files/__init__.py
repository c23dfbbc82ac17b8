"""Reads what people write in YAML: strictly, and with every fault named by its line."""
