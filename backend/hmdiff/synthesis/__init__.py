"""Synthetic people on the fly: mocap poses, random bodies and cameras, and what the detector would have made of them."""
