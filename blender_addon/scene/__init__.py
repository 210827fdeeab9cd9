"""A take as Blender data. The only place that knows Blender's z-up; ``build.build_scene`` is the way in.

axes, timing        camera frame -> z-up world; time stamps -> scene frames (numpy only)
compat              every difference between Blender 4.2 and 5.2
body, motion        the body's mesh and material; its moving vertices (shape keys or a PC2 file)
armature, rigged    24 bones with the same motion; the copy of the body they deform
hypotheses          other samples of the same motion
camera, footage     the take's camera and the picture behind it
build, exports      everything put together in slices; .blend, .glb, .fbx, .bvh
run                 the program ``python -m hmdiff_blender TAKE -o X.blend``
"""
