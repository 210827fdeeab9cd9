"""HMDiff's networks: inputs, regressor, pose heads, features, the denoiser g and the mesh MLP."""
