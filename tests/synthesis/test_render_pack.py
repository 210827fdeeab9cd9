"""Packing what the detector read: the same network inputs come back, everybody is counted, damage is told."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hmdiff.bodies.joint_maps import read_landmark_regressor
from hmdiff.bodies.model import load_free_body
from hmdiff.cli import main
from hmdiff.detect import Crop, Observation
from hmdiff.models.observe import inputs_from_observations
from hmdiff.synthesis.render.detections import seen_path
from hmdiff.synthesis.render.pack import PackOptions, pack, spread_out
from hmdiff.synthesis.render.packed import PackedPeople, read_packed, write_packed
from hmdiff.synthesis.render.shards import pack_mask, write_arrays, write_shard
from hmdiff.synthesis.render.truth import HIDDEN_OBJECT, HIDDEN_PERSON, HIDDEN_SELF, OUTSIDE
from hmdiff_wire.errors import HmdiffError

SIZE, FOCAL = (320, 240), 300.0
RNG = np.random.default_rng(0)


class Folder:
    """A rendered folder as the renderer and the detector leave it, with people who stand at known places."""

    def __init__(self, path: Path, frames: int) -> None:
        self.path, self.frames = path, frames
        self.body = load_free_body()
        self.regressor = torch.from_numpy(read_landmark_regressor(self.body.data))
        self.pictures: dict[str, list] = {name: [] for name in ("picture", "scene", "view", "frame", "clip_time")}
        self.people: list[dict] = []
        self.seen: list[dict] = []
        self.false: list[int] = []
        self.live: list[Observation] = []

    def picture(self, scene: int, frame: int = 0) -> None:
        for name, value in zip(self.pictures, (len(self.pictures["scene"]), scene, 0, frame, frame / 30), strict=True):
            self.pictures[name].append(value)

    def person(self, number: int, x: float, status: str, hidden: int = 0) -> None:
        """In the last picture. hidden: bits of all landmarks below the face."""
        betas, pose = RNG.normal(size=10).astype(np.float32), 0.1 * RNG.normal(size=(24, 3)).astype(np.float32)
        pose[0] = [np.pi, 0, 0]
        transl = np.array([x, 0.1, 3.2], np.float32)
        with torch.no_grad():
            vertices, _ = self.body.from_axis_angle(*(torch.from_numpy(part[None]) for part in (betas, pose, transl)))
        points = (self.regressor @ vertices[0]).numpy()
        flat = points[:, :2] / points[:, 2:] * FOCAL + np.array(SIZE) / 2
        all_flat = (vertices[0, :, :2] / vertices[0, :, 2:] * FOCAL).numpy() + np.array(SIZE) / 2
        whole = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        cv2.fillConvexPoly(whole, cv2.convexHull(all_flat.astype(np.int32)), 1)
        rows, columns = np.nonzero(whole)
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
        bits = np.zeros(33, np.uint8)
        bits[11:] = hidden
        self.people.append(
            {"row": len(self.pictures["scene"]) - 1, "person": number, "betas": betas, "pose": pose, "transl": transl,
             "hidden_landmarks": bits, "seen_share": np.float32(1), "box_seen": box, "mask": pack_mask(whole > 0, box),
             "landmarks": points}
        )  # fmt: skip
        self.seen.append(self.detection(flat.astype(np.float32), box, status))

    def detection(self, flat: np.ndarray, box: np.ndarray, status: str) -> dict:
        if status == "missed":
            nothing = {"landmarks_2d": (33, 2), "world": (33, 3), "box": 4, "crop": 4}
            return {"status": status, "map_row": -1, "confidence": np.zeros(33), "quality": 0.0, "track": -1} | {
                name: np.full(shape, np.nan) for name, shape in nothing.items()
            }
        crop = Crop(((box[:2] + box[2:]) / 2).astype(np.float32), float(1.3 * max(box[2:] - box[:2])), 0.2)
        cells = crop.to_crop(flat) * 64
        grid = np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1)
        away = ((grid[None] - cells[:, None, None]) ** 2).sum(-1)
        heatmaps = np.zeros((39, 64, 64), np.float32)
        heatmaps[:33] = np.exp(-away / 8) * RNG.uniform(0.3, 0.97, (33, 1, 1)) + RNG.uniform(0, 0.009, (33, 64, 64))
        mask = np.zeros((256, 256), np.float32)
        cv2.fillConvexPoly(mask, cv2.convexHull((crop.to_crop(flat) * 256).astype(np.int32)), 1.0)
        mask = cv2.GaussianBlur(mask, (0, 0), 4)
        at = sum(one["status"] != "missed" for one in self.seen)
        bytes_of = [np.round(raster * 255).clip(0, 255).astype(np.uint8) for raster in (heatmaps, mask)]
        one = {"status": status, "map_row": at, "landmarks_2d": flat + RNG.normal(0, 2, (33, 2)).astype(np.float32),
               "crop": np.array([*crop.center, crop.size, crop.angle]), "confidence": RNG.uniform(0.4, 1, 33),
               "world": RNG.normal(size=(33, 3)), "box": box, "quality": 0.8, "track": at,
               "heatmaps": bytes_of[0], "mask": bytes_of[1]}  # fmt: skip
        for name in ("confidence", "world", "crop", "landmarks_2d"):
            one[name] = one[name].astype(np.float32)
        self.live.append(
            Observation(at, status, box, crop, one["landmarks_2d"], one["confidence"], np.full(33, np.nan, np.float32),
                        one["world"], bytes_of[0] / np.float32(255), bytes_of[1] / np.float32(255), 0.8, "blazepose")
        )  # fmt: skip
        return one

    def write(self) -> Folder:
        self.path.mkdir()
        count = len(self.pictures["scene"])
        names = [name for name in self.people[0] if name != "mask"]
        truth = {name: np.array(values) for name, values in self.pictures.items()}
        truth |= {"focal": np.full(count, FOCAL, np.float32), "size": np.tile(SIZE, (count, 1))}
        truth |= {name: np.array([person[name] for person in self.people]) for name in names}
        masks = [person["mask"] for person in self.people]
        truth |= {"mask_bits": np.concatenate(masks), "mask_start": np.cumsum([0, *map(len, masks)])[:-1]}
        write_shard(self.path, 0, [], truth)
        (self.path / "render.json").write_text(f'{{"split": "test", "seed": 5, "views": 1, "frames": {self.frames}}}')
        seen = {name: np.array([one[name] for one in self.seen]) for name in self.seen[0] if name not in RASTERS}
        seen |= {name: np.stack([one[name] for one in self.seen if name in one]) for name in RASTERS}
        write_arrays(seen_path(self.path, 0), seen | {"false_row": np.array(self.false, np.int64)})
        return self


RASTERS = ("heatmaps", "mask")


@pytest.fixture(scope="module")
def singles(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder(tmp_path_factory.mktemp("pack") / "singles", 1)
    folder.picture(0)
    folder.person(0, -0.7, "ok")
    folder.person(1, 0.7, "missed", HIDDEN_SELF)  # hidden by oneself counts: the detector must cope with it
    folder.person(2, 0.1, "truncated", HIDDEN_OBJECT)
    folder.person(3, 0.2, "missed", HIDDEN_PERSON | HIDDEN_OBJECT)
    folder.picture(1)
    folder.person(0, 0.0, "ok")
    folder.false = [1, 1]
    return folder.write()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = Folder(tmp_path_factory.mktemp("pack") / "clips", 3)
    for frame, (first, second) in enumerate([("ok", "ok"), ("missed", "ok"), ("ok", "ok")]):
        folder.picture(0, frame)
        folder.person(0, -0.6, first)
        folder.person(1, 0.6 + 0.1 * frame, second, OUTSIDE if frame == 2 else 0)
    return folder.write()


@pytest.fixture(scope="module")
def packed(singles: Folder, clip: Folder, tmp_path_factory: pytest.TempPathFactory) -> PackedPeople:
    out = tmp_path_factory.mktemp("packed") / "bench.npz"
    assert main(["synth", "pack", str(singles.path), str(clip.path), "-o", str(out)]) == 0
    return read_packed(out)


def test_everybody_is_counted_once(packed: PackedPeople, singles: Folder) -> None:
    assert packed.card["single_pictures"] == {
        "pictures": 2, "people_drawn": 5, "count_found": 2, "count_missed": 1, "hard_found": 1, "hard_missed": 1,
        "false_detections": 2,
    }  # fmt: skip
    moving = {"pictures": 3, "people_drawn": 6, "count_found": 4, "count_missed": 1, "hard_found": 1}
    assert packed.card["clips"] == moving | {"false_detections": 0}
    commands = packed.card["commands"]
    assert commands[0] == f"hmdiff synth render --split test --seed 5 --count 2 --out {singles.path}"
    assert "--clip-frames 3" in commands[2]
    assert packed.people["hard"].tolist() == [False, False, True, False, *[False] * 3, False, False, True]
    # single pictures first, then clips: one person after the other, in the order of time
    assert packed.people["single"].tolist() == [True] * 4 + [False] * 6
    assert packed.people["clip"].tolist() == [0, 0, 0, 1] + [2] * 6
    assert packed.people["person"].tolist() == [0, 1, 2, 0, 0, 0, 0, 1, 1, 1]
    assert packed.people["frame"].tolist() == [-1] * 4 + [0, 1, 2] * 2
    assert packed.found["row"].tolist() == [0, 2, 3, 4, 6, 7, 8, 9]


def test_the_networks_see_the_same_as_live(packed: PackedPeople, singles: Folder) -> None:
    middle = (SIZE[0] / 2, SIZE[1] / 2)
    live = inputs_from_observations(singles.live, [400.0] * 3, middle)
    again = inputs_from_observations([packed.observation(k) for k in range(3)], [400.0] * 3, middle)
    assert (live.landmarks - again.landmarks).abs().max() < 5e-4
    assert (live.crop - again.crop).abs().max() < 1e-4
    torch.testing.assert_close(live.landmarks[..., 3], again.landmarks[..., 3], atol=0, rtol=0)  # peaks are exact
    assert (live.grid[:, :-1] - again.grid[:, :-1]).abs().max() < 6 / 255
    assert (live.grid[:, -1] - again.grid[:, -1]).abs().mean() < 3 / 255
    assert live.grid[:, :-1].amax((2, 3)).median() > 0.3
    for k, one in enumerate(singles.live):
        found = packed.observation(k)
        assert (found.status, found.source) == (one.status, "blazepose")
        np.testing.assert_allclose(found.landmarks_world, one.landmarks_world, atol=1e-4)
        assert found.heatmaps is not None and found.mask is not None and one.mask is not None
        assert found.heatmaps[1].max() > 0.25
        assert np.abs(found.mask - one.mask).mean() < 0.01


def test_truth_and_silhouettes_come_back(packed: PackedPeople, singles: Folder) -> None:
    rows = [0, 2, 4]
    found = packed.people
    body = singles.body
    parts = (torch.from_numpy(found[name][[0, 2, 3]]) for name in ("betas", "pose", "transl"))
    with torch.no_grad():
        landmarks = singles.regressor @ body.from_axis_angle(*parts)[0]
    expected = np.stack([singles.people[row]["landmarks"] for row in rows])
    np.testing.assert_allclose(landmarks.numpy(), expected, atol=3e-4)
    own, people = (packed.silhouettes(name, np.array([0, 1])) for name in ("own", "people"))
    assert (people | ~own).all()
    # the second person stands between the first and the fourth: more than their own pixels are people's
    assert people[1].sum() > own[1].sum() > 500
    area = np.unpackbits(singles.people[0]["mask"]).sum()
    side = np.ptp(singles.live[0].landmarks_2d, axis=0).max() * 1.25
    assert own[0].sum() * (side / 128) ** 2 == pytest.approx(area, rel=0.05)


def test_fewer_pictures_are_spread_over_all(singles: Folder, clip: Folder, tmp_path: Path) -> None:
    assert spread_out(np.arange(10), 3).tolist() == [0, 3, 6]
    assert spread_out(np.arange(3), 9).tolist() == [0, 1, 2]
    card = pack(PackOptions((singles.path, clip.path), tmp_path / "few.npz", pictures=1, clips=1))
    assert card["single_pictures"]["pictures"] == 1
    assert card["commands"][-1].endswith("--pictures 1 --clips 1 -o " + str(tmp_path / "few.npz"))
    first = (tmp_path / "few.npz").read_bytes()
    pack(PackOptions((singles.path, clip.path), tmp_path / "few.npz", pictures=1, clips=1))
    assert (tmp_path / "few.npz").read_bytes() == first


def test_a_folder_the_detector_has_not_read_is_named(
    singles: Folder, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    empty = tmp_path / "unread"
    empty.mkdir()
    (empty / "shard_00000.npz").write_bytes((singles.path / "shard_00000.npz").read_bytes())
    assert main(["synth", "pack", str(empty), "-o", str(tmp_path / "x.npz")]) == 2
    assert "synth detect" in capsys.readouterr().err


def test_damage_is_told(packed: PackedPeople, tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    write_packed(good, packed)
    with zipfile.ZipFile(good) as archive:
        assert archive.testzip() is None
    cases = {
        "cut": lambda path: path.write_bytes(good.read_bytes()[: good.stat().st_size // 2]),
        "flipped": lambda path: path.write_bytes(flipped(good.read_bytes())),
        "text": lambda path: path.write_text("no file of ours"),
        "other": lambda path: np.savez(path, clip=np.zeros(3)),
        "short": lambda path: write_packed(path, PackedPeople(packed.people, cut(packed.found, "mask"), {})),
        "stranger": lambda path: write_packed(path, PackedPeople(packed.people, strange(packed.found), {})),
        "nan": lambda path: write_packed(path, PackedPeople(unknown(packed.people), packed.found, {})),
    }  # fmt: skip
    for name, write in cases.items():
        path = tmp_path / f"{name}.npz"
        write(path)
        with pytest.raises(HmdiffError) as caught:
            read_packed(path)
        assert caught.value.kind == "eval.damaged", name
    with pytest.raises(HmdiffError) as caught:
        read_packed(tmp_path / "absent.npz")
    assert caught.value.kind == "eval.no_data"


def flipped(data: bytes) -> bytes:
    middle = len(data) // 3
    return data[:middle] + bytes(255 - value for value in data[middle : middle + 64]) + data[middle + 64 :]


def cut(found: dict, name: str) -> dict:
    return found | {name: found[name][:-1]}


def strange(found: dict) -> dict:
    return found | {"row": found["row"] + 1000}


def unknown(people: dict) -> dict:
    return people | {"pose": np.full_like(people["pose"], np.nan)}
