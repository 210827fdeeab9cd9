"""What the backend and the Blender add-on must agree on; standard library and numpy only."""
