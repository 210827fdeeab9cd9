"""What an artist changes of a take's motion, as data and as arithmetic. Numpy only; ``scene.replay`` shows the result.

record      the changes, as kept in the .blend
turns       rotations as quaternions
sequence    hypotheses chosen for some frames, locked frames, and how they blend into the rest
smoothing   calmer motion, by time stamps
legs, feet  the legs' two-bone inverse kinematics; feet that neither slide, float nor sink
played      all of it in order: the motion that a clip plays
shape       names for the directions of body shape
doubt       how sure the model is of each frame
"""
