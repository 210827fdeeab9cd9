"""An export leaves the artist's character as it stood: the pose of this frame, and what was posed without a key."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from character_rigs import dress, rigify
from hmdiff_blender.scene.exports.character import export_character


@pytest.fixture
def rig():
    """A generated Rigify character with keys on two controls, one of them moved on by hand, a third posed unkeyed."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    item = rigify(generated=True)
    dress(item)
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 12
    for name in ("torso", "upper_arm_fk.L"):
        bone = item.pose.bones[name]
        bone.rotation_mode = "XYZ"
        for frame, angle in ((1, 0.0), (12, 1.1)):
            bone.rotation_euler = (angle, 0.2 * angle, 0)
            bone.keyframe_insert("rotation_euler", frame=frame)
    arm = item.pose.bones["upper_arm_parent.L"]
    arm["IK_FK"] = 1.0
    for frame, value in ((1, 1.0), (12, 0.0)):
        arm["IK_FK"] = value
        arm.keyframe_insert('["IK_FK"]', frame=frame)
    scene.frame_set(6)
    item.pose.bones["head"].rotation_mode = "XYZ"
    item.pose.bones["head"].rotation_euler = (0.3, 0.1, 0.2)
    item.pose.bones["torso"].rotation_euler.z += 0.4
    bpy.context.view_layer.update()
    return item


def _seen(item) -> dict[str, np.ndarray]:
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return {bone.name: np.array(bone.matrix) for bone in evaluated.pose.bones}


@pytest.mark.parametrize("suffix", [".fbx", ".glb"])
def test_the_character_stands_as_before(rig, tmp_path, suffix: str) -> None:
    before = _seen(rig)
    basis = {bone.name: np.array(bone.matrix_basis) for bone in rig.pose.bones}
    export_character(tmp_path / f"hero{suffix}", rig)
    bpy.context.view_layer.update()
    after = _seen(rig)
    worst = max(before, key=lambda name: np.abs(before[name] - after[name]).max())
    assert np.abs(before[worst] - after[worst]).max() < 1e-5, worst
    for bone in rig.pose.bones:
        assert np.allclose(np.array(bone.matrix_basis), basis[bone.name], atol=1e-6), bone.name
    assert bpy.context.scene.frame_current == 6
