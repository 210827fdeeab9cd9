"""What a person wears: garments cut from the body's surface at random heights, with random looseness and cloth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .anatomy import PAINTS, Anatomy, Bools, Floats, unit
from .hair import Head, beard, bun, cap, curtain, scalp
from .materials import Material, any_colour, blend, cloth, hair_colour, plain, skin_colour
from .shells import Piece, block, join, ramp, ripples, shell, skirt
from .textures import layer

_TORSO = ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar", "left_shoulder", "right_shoulder",
          "left_elbow", "right_elbow", "left_wrist", "right_wrist", "neck", "left_hip", "right_hip")  # fmt: skip
_LEGS = ("pelvis", "spine1", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
_FEET = ("left_ankle", "right_ankle", "left_foot", "right_foot", "left_knee", "right_knee")


@dataclass(frozen=True)
class Look:
    """The whole person at rest: mesh, materials, and how high shoes lift the body (m)."""

    mesh: Piece
    materials: tuple[Material, ...]
    lift: float


@dataclass
class _Wardrobe:
    """Collects pieces; nothing outside ``dress`` sees it."""

    anatomy: Anatomy
    rng: np.random.Generator
    rest: Floats
    smooth: Floats
    normals: Floats
    joints: Floats
    pieces: list[Piece]
    materials: list[Material]
    covered: Bools
    outside: Floats

    def material(self, made: Material) -> int:
        self.materials.append(made)
        return len(self.materials) - 1

    def wrap(self, mask: Bools, edge: Floats, offset: Floats, smoothness: float, material: int) -> None:
        base = (self.rest * (1 - smoothness) + self.smooth * smoothness).astype(np.float32)
        out = ((base - self.rest) * self.normals).sum(1)
        # smoothing shrinks thin limbs; cloth lies neither under the skin nor under what is worn below it
        offset = np.maximum(offset - np.minimum(out, 0), self.outside + 0.004 - out).astype(np.float32)
        self.pieces.append(shell(self.anatomy, base, self.normals, mask, edge, offset, material))
        inside = mask & (edge > 0)
        self.outside = np.where(inside, np.maximum(self.outside, out + offset), self.outside)
        self.covered |= self.anatomy.shrunk(inside, 3)


def dress(anatomy: Anatomy, rng: np.random.Generator, rest: Floats, joints: Floats, bare: bool = False) -> Look:
    """rest (V,3), joints (24,3): the person's own shape at rest. bare: the body alone."""
    normals = anatomy.normals(rest)
    smooth, calm = anatomy.smooth(rest, 10), unit(anatomy.smooth(normals, 3))
    box = _Wardrobe(
        anatomy, rng, rest, smooth, calm, joints, [], _body_materials(rng),
        np.zeros(len(rest), bool), np.zeros(len(rest), np.float32),
    )  # fmt: skip
    lift = 0.0
    if not bare:
        lift = _clothe(box)
        _head(box)
    faces = anatomy.faces[~box.covered[anatomy.faces].all(1)]
    paint = anatomy.paint[~box.covered[anatomy.faces].all(1)]
    for index in np.unique(paint):
        used, flat = np.unique(faces[paint == index], return_inverse=True)
        box.pieces.append(
            Piece(rest[used], normals[used], anatomy.rest[used], anatomy.bones[used], anatomy.weights[used],
                  np.full(len(used), index, np.float32), np.ones(len(used), np.float32), flat.reshape(-1, 3))
        )  # fmt: skip
    return Look(join(box.pieces), tuple(box.materials), lift)


def _body_materials(rng: np.random.Generator) -> list[Material]:
    skin = skin_colour(rng)
    hair = hair_colour(rng)
    iris = [(0.02, 0.012, 0.008), (0.06, 0.035, 0.015), (0.05, 0.1, 0.18), (0.05, 0.1, 0.06)][int(rng.integers(4))]
    lips = (skin[0] * 0.8, skin[1] * 0.5, skin[2] * 0.5)
    shine = float(rng.uniform(0.01, 0.09))
    made = {
        "skin": Material(skin, blend(skin, lips, 0.25), skin, layer(rng, "clouds"), 5.0, 0.15, shine),
        "lips": plain(rng, lips, 0.1, 0.06), "brows": plain(rng, blend(hair, skin, 0.2)),
        "eye": plain(rng, (0.75, 0.73, 0.7), 0.0, 0.2), "iris": plain(rng, iris, 0.0, 0.3),
        "mouth": plain(rng, (0.15, 0.03, 0.03)), "nails": plain(rng, skin),
    }  # fmt: skip
    strands = Material(hair, blend(hair, (0, 0, 0), 0.6), hair, layer(rng, "speckle"), 9.0, 2.0, 0.08)
    return [*(made[name] for name in PAINTS), strands]


HAIR = len(PAINTS)


def _clothe(box: _Wardrobe) -> float:
    rng, anatomy = box.rng, box.anatomy
    style = rng.choice(["casual", "dress", "formal", "swim"], p=[0.7, 0.13, 0.12, 0.05])
    waist = float(rng.uniform(0.93, 1.03))
    lower = box.material(cloth(rng, 0.3 if style != "formal" else 0.1))
    if style == "swim":
        _legs(box, float(rng.uniform(0.9, 1.0)), float(rng.uniform(0.6, 0.8)), 0.004, 0.0, lower)
        if rng.random() < 0.5:
            hem, collar = float(rng.uniform(1.0, 1.2)), float(rng.uniform(1.32, 1.38))
            _top(box, box.material(cloth(rng)), hem, 0.17, 0.004, 0.0, collar)
        return 0.0 if rng.random() < 0.7 else _shoes(box)
    loose = float(rng.choice([0.0, 0.01, 0.025, 0.045], p=[0.25, 0.35, 0.28, 0.12]))
    lengths, shares = [0.165, 0.26, 0.31, 0.36, 0.43, 0.56, 0.655], [0.12, 0.12, 0.18, 0.12, 0.1, 0.08, 0.28]
    sleeve = float(rng.choice(lengths, p=shares))
    hem = float(rng.uniform(0.78, 0.99)) if style != "formal" else waist - 0.04
    collar = float(rng.uniform(1.36, 1.45))
    upper = lower if style == "dress" and rng.random() < 0.7 else box.material(cloth(rng))
    if style == "dress" or (style == "casual" and rng.random() < 0.12):
        if rng.random() < 0.5:
            _legs(box, waist, float(rng.choice([0.08, 0.55])), 0.003, 0.0, box.material(plain(rng, any_colour(rng))))
        length = float(rng.choice([0.62, 0.5, 0.3, 0.12], p=[0.35, 0.35, 0.15, 0.15]))
        scale = float(box.joints[0, 1] / 0.906)
        top, flare = (waist + 0.02) * scale, float(rng.uniform(0.02, 0.35))
        box.pieces.append(skirt(rng, box.rest, box.joints, top, length * scale, flare, 0.014, lower))
        hem = waist - 0.03
    else:
        cuff = float(rng.choice([0.07, 0.1, 0.28, 0.45, 0.52, 0.66], p=[0.42, 0.2, 0.05, 0.11, 0.14, 0.08]))
        leg_loose = float(rng.choice([0.0, 0.012, 0.03, 0.05], p=[0.3, 0.35, 0.25, 0.1]))
        _legs(box, waist, cuff, float(rng.uniform(0.004, 0.009)), leg_loose, lower)
    _top(box, upper, hem, sleeve, float(rng.uniform(0.008, 0.014)), loose, collar)
    if rng.random() < (0.5 if style == "formal" else 0.2):
        _jacket(box, box.material(cloth(rng, 0.25)))
    if rng.random() < 0.08:
        bag = box.rest[anatomy.parts("spine3") & (np.abs(anatomy.rest[:, 0]) < 0.08)]
        size = np.array([rng.uniform(0.24, 0.36), rng.uniform(0.32, 0.5), rng.uniform(0.1, 0.2)], np.float32)
        place = np.array([0, bag[:, 1].mean() - 0.02, bag[:, 2].min() - size[2] / 2 - 0.01], np.float32)
        box.pieces.append(block(place, size, "spine3", box.material(cloth(rng))))
    return _shoes(box) if rng.random() < 0.88 else 0.0


def _top(box: _Wardrobe, material: int, hem: float, sleeve: float, stand_off: float, loose: float, collar: float,
         open_front: float = 0.0) -> None:  # fmt: skip
    at = box.anatomy.rest
    x, y, z = np.abs(at[:, 0]), at[:, 1], at[:, 2]
    neck = collar - 0.04 * ramp(z, 0.0, 0.06) + np.maximum(x - 0.06, 0)
    mask = box.anatomy.parts(*_TORSO)
    edge = np.minimum.reduce([y - hem, sleeve - x, neck - y])
    if open_front:
        edge = np.minimum(edge, np.where((z > 0.0) & (x < 0.2), x - open_front, 1.0))
    # loose cloth stands off most at the hem, under the arms and at the cuffs
    belly = ramp(y, 1.25, 0.9) * (x < 0.28)
    cuffs = ramp(x, 0.2, 0.65) * 0.7 + ramp(-(y - 1.35), 0.0, 0.05) * (x > 0.18) * 0.4
    folds = _folds(box.rng, at, mask & (edge > -0.05), 0.16) * (0.002 + 0.22 * loose)
    offset = stand_off + loose * (0.35 + belly + cuffs) + folds
    box.wrap(mask, edge, np.maximum(offset, 0.6 * stand_off), 0.25 if not loose else 0.8, material)


def _folds(rng: np.random.Generator, at: Floats, mask: Bools, wavelength: float) -> Floats:
    field = np.zeros(len(at), np.float32)
    field[mask] = ripples(rng, at[mask], wavelength)
    return field


def _jacket(box: _Wardrobe, material: int) -> None:
    rng = box.rng
    opening, hem = float(rng.choice([0.0, 0.04, 0.09])), float(rng.uniform(0.72, 0.98))
    loose, collar = float(rng.uniform(0.01, 0.03)), float(rng.uniform(1.4, 1.47))
    _top(box, material, hem, 0.65, 0.018, loose, collar, opening)


def _legs(box: _Wardrobe, waist: float, cuff: float, stand_off: float, loose: float, material: int) -> None:
    at = box.anatomy.rest
    y = at[:, 1]
    mask, edge = box.anatomy.parts(*_LEGS), np.minimum(waist - y, y - cuff)
    spread = ramp(-y, -0.85, -0.3)
    folds = _folds(box.rng, at, mask & (edge > -0.05), 0.13) * (0.0015 + 0.2 * loose)
    offset = stand_off + loose * (0.3 + 0.9 * spread) + folds
    box.wrap(mask, edge, np.maximum(offset, 0.6 * stand_off), 0.25 if not loose else 0.8, material)


def _shoes(box: _Wardrobe) -> float:
    rng, at = box.rng, box.anatomy.rest
    feet = box.anatomy.parts(*_FEET)
    sole = float(rng.uniform(0.008, 0.035))
    height = float(rng.choice([0.085, 0.1, 0.16, 0.3], p=[0.5, 0.25, 0.17, 0.08]))
    if rng.random() < 0.5:
        box.wrap(
            feet,
            height + float(rng.uniform(0.03, 0.2)) - at[:, 1],
            np.full(len(at), 0.003, np.float32),
            0.2,
            box.material(plain(rng, any_colour(rng))),
        )
    material = box.material(cloth(rng, 0.25))
    offset = np.full(len(at), rng.uniform(0.007, 0.014), np.float32)
    box.wrap(feet, height - at[:, 1], offset, 0.8, material)
    shoe = box.pieces.pop()
    ground = float(box.rest[:, 1].min())
    position = shoe.position.copy()
    low = position[:, 1] < ground + 0.03
    position[low, 1] = ground - sole + 0.25 * np.maximum(position[low, 1] - ground, 0)
    rubber = box.material(plain(rng, any_colour(rng) if rng.random() < 0.5 else (0.7, 0.7, 0.7)))
    painted = np.where(low, np.float32(rubber), shoe.material).astype(np.float32)
    box.pieces.append(replace(shoe, position=position, material=painted))
    return sole


def _head(box: _Wardrobe) -> None:
    rng = box.rng
    head = Head(box.anatomy, box.rest, box.normals)
    kind = rng.choice(["bald", "buzz", "short", "full", "long", "up", "hat"], p=[0.04, 0.1, 0.28, 0.1, 0.27, 0.1, 0.11])
    height = float(rng.uniform(0.06, 0.09))
    if kind == "hat":
        box.pieces += cap(rng, head, box.material(cloth(rng, 0.15)))
        height = 0.03
    if kind != "bald":
        length = {"buzz": 0.003, "short": rng.uniform(0.008, 0.03), "full": rng.uniform(0.035, 0.08), "hat": 0.006}
        box.pieces.append(scalp(rng, head, float(length.get(kind, rng.uniform(0.008, 0.022))), height, HAIR))
    if kind == "long" or (kind == "hat" and rng.random() < 0.4):
        box.pieces.append(curtain(rng, head, float(rng.uniform(0.14, 0.45)), float(rng.uniform(1.1, 1.9)), HAIR))
    if kind == "up":
        if rng.random() < 0.5:
            box.pieces.append(curtain(rng, head, float(rng.uniform(0.15, 0.35)), 0.3, HAIR))
        box.pieces.append(bun(rng, head, HAIR))
    if rng.random() < 0.14 and kind != "long":
        box.pieces.append(beard(rng, head, HAIR))
