"""What is drawn over the 3D view and is in no file: ghosts of other hypotheses, keypoints over the footage.

latest   one thing at a time computed beside Blender, the newest question wins
ghosts   other hypotheses of the current frame, or the clip as it was before, as translucent bodies
followed the body as it would be where a dragged joint is now
joints   the detected joints of the current frame, where they are in the picture and in the view
paint    the shader and the lines
"""
