"""Motion that other programs estimated, as takes that can be refined."""
