"""Diffusion without networks: the noise schedule, DDIM steps and the Distribution Alignment Technique."""
