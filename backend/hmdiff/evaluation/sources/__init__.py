"""Where examples come from: held-out mocap people with a simulated detector, and rendered people the real one saw."""
