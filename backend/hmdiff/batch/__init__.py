"""Many clips one after another: what is to be done (``plan``), doing it (``work``), how good it became (``quality``),
the page about it (``summary``). The file they share with Blender's queue is ``hmdiff_wire.batch``.
"""
