"""BVH: one skeleton per file, in metres, z up as in Blender (importers ask for the axes)."""

from __future__ import annotations

from pathlib import Path

import bpy

from .staged import staged
from .wish import Wish


def write(path: Path, wish: Wish) -> list[Path]:
    """NAME.bvh for one person, NAME_1.bvh and so on by track id for several."""
    written = []
    with staged(wish, bones=True) as stage:
        for person in stage.people:
            target = path if len(stage.people) == 1 else path.with_name(f"{path.stem}_{person.track}{path.suffix}")
            stage.run(
                bpy.ops.export_anim.bvh, [person.armature], filepath=str(target), frame_start=0,
                frame_end=stage.frames.last, rotate_mode="NATIVE", root_transform_only=True,
                global_scale=stage.scale,
            )  # fmt: skip
            written.append(target)
    return written
