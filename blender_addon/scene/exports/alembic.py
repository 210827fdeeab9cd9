"""Alembic: vertices that move, and the camera; y up inside, metres."""

from __future__ import annotations

from pathlib import Path

import bpy

from .caches import playing
from .staged import staged
from .wish import Wish


def write(path: Path, wish: Wish) -> list[Path]:
    """All people of the clip in one file, a sample per frame."""
    with staged(wish, shapes=True) as stage:
        objects = [playing(stage, person) for person in stage.people if person.body is not None]
        if stage.camera is not None:
            objects.append(stage.camera)
        stage.run(
            bpy.ops.wm.alembic_export, objects, filepath=str(path), selected=True, start=0, end=stage.frames.last,
            xsamples=1, gsamples=1, flatten=False, uvs=True, normals=True, face_sets=False, export_hair=False,
            export_particles=False, export_custom_properties=False, as_background_job=False,
            evaluation_mode="RENDER",
        )  # fmt: skip
    return [path]
