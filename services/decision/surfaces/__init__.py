"""Where what people press on other surfaces comes back, and becomes a decision."""
