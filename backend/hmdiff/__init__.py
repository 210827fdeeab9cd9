"""HMDiff: diffusion-based human mesh recovery with distribution alignment. See docs/architecture.md."""

import os

# Read by OpenMP when torch is loaded, so before that. Its threads otherwise wait for each other in a busy loop: beside
# a Blender that plays, or anything else that wants a core, 48 frames took 23.9 s instead of 10.4 on two cores; alone,
# the same 6.0 s either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
