"""HMDiff: diffusion-based human mesh recovery with distribution alignment. See docs/architecture.md."""

__version__ = "0.1.0"
