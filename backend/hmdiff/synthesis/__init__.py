"""Synthetic people on the fly: mocap poses, random bodies and cameras, and what the detector makes of them."""
