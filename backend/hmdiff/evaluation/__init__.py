"""Metrics, benchmarks and ablations (method_notes section 3)."""
