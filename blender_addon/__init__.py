"""HMDiff for Blender: animated bodies from photos and videos.

scene/     a take (a folder the backend leaves) -> Blender data, and out again: body mesh with shape animation,
           armature, hypotheses, camera with footage, exports. The only part that imports bpy; nothing is imported here.
__main__   the same as a program: ``python -m hmdiff_blender TAKE -o X.blend`` or through ``blender -b --python``.

Inside, imports are relative (Blender calls the package ``bl_ext.<repository>.hmdiff``, pip ``hmdiff_blender``);
``hmdiff_wire`` is the one outside package. Only bpy, numpy and the standard library are used besides.
"""


def register() -> None:
    """Called by Blender when the extension is enabled; ``scene`` has no classes to register."""


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
