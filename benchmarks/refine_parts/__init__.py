"""The parts of ``benchmarks/refine.py``."""
