"""HMDiff for Blender: animated bodies from photos and videos.

core/        without bpy: the state machine, the socket to the backend, the backend's process, words for people
edits/       numpy only: what an artist changes of a motion (choices, locks, smoothing, feet, shape)
scene/       bpy data only: a take (the folder a run leaves) -> body mesh with shape animation, armature, hypotheses,
             camera with footage, exports; the preview of a run that goes on; retarget*: onto a character
operators/   buttons gather and dispatch      panels/   the sidebar tab, which only reads
session      the one running add-on: engine and timer     scene_work   what it does to the scene, in slices
handlers     undo, redo, file load     registration   everything Blender is told about
overlays/    what is drawn over the 3D view and is in no file     working      what the artist is doing just now
request, footage_choice, people   from what the panel says to a request and back
properties, character, preferences   what is chosen, and what is remembered
__main__     the scene code as a program: ``python -m hmdiff_blender TAKE -o X.blend`` or ``blender -b --python``

Inside, imports are relative (Blender calls the package ``bl_ext.<repository>.hmdiff``, pip ``hmdiff_blender``);
``hmdiff_wire`` and pyzmq are the outside packages. Nothing is imported here before Blender asks for it, since a program
that only wants ``scene`` or ``core`` must not need the rest.
"""

import sys

if __name__.startswith("bl_ext."):
    # A Blender that has just replaced this extension imports it anew, but keeps the hmdiff_wire of the old one.
    for _name in [name for name in sys.modules if name.partition(".")[0] == "hmdiff_wire"]:
        del sys.modules[_name]


def register() -> None:
    """Called by Blender when the extension is enabled. Nothing is started and nothing is connected."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled or Blender quits."""
    from . import registration

    registration.unregister()
