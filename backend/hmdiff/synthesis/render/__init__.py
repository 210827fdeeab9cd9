"""Pictures of dressed synthetic people with exact truth, drawn by OpenGL (``moderngl``, the extra ``render``).

``run.render_dataset`` writes them, ``detections.detect_dataset`` runs the real detector over them, ``sheet`` shows
both. From the mocap to a picture: ``motion`` -> ``person`` (``shells``, ``hair``, ``wear``) -> ``scene`` (``room``,
``props``, ``cameras``) -> ``renderer`` -> ``film`` and ``truth`` -> ``shards``. Only ``context`` and ``renderer`` know
OpenGL.
"""
