"""Body models: the free body, licensed SMPL / MANO files, the mesh hierarchy and the linear joint maps."""
