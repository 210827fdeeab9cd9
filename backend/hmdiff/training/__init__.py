"""Training on synthetic people: losses, the loop, checkpoints. Needs torch and numpy only, so that it runs anywhere."""
