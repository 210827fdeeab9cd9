"""ScoreHMR: a pose pulled towards what is known of it, along the steps of a diffusion model (issue 6)."""
