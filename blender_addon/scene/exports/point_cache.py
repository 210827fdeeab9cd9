"""PC2: the bare vertices of every frame, with the mesh they belong to beside them; z up, metres, as in Blender."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy

from .staged import staged
from .wish import Wish


def write(path: Path, wish: Wish) -> list[Path]:
    """NAME.pc2 and NAME.obj (the first pose: same vertices in the same order); NAME_1 and so on for several people."""
    written = []
    with staged(wish, shapes=True) as stage:
        people = [person for person in stage.people if person.body is not None]
        for person in people:
            target = path if len(people) == 1 else path.with_name(f"{path.stem}_{person.track}{path.suffix}")
            assert person.shapes is not None
            shutil.copyfile(person.shapes, target)
            mesh = target.with_suffix(".obj")
            stage.run(
                bpy.ops.wm.obj_export, [person.body], filepath=str(mesh), export_selected_objects=True,
                export_animation=False, forward_axis="Y", up_axis="Z", export_materials=False, export_uv=True,
                export_normals=False,
            )  # fmt: skip
            written += [target, mesh]
    return written
