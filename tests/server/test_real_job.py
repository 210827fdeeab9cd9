"""The real job through the real server: detector, model, fit and take, streamed to a client."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from hmdiff_wire.messages import FrameResult, JobDone, JobFailed, Submit
from hmdiff_wire.take import read_take


def test_a_photo_becomes_a_take_and_the_same_rows_reach_the_client(start, connect, shared_dir: Path):
    backend = start("--device", "cpu", jobs="hmdiff.server.jobs:run_job")
    client = connect(backend)
    photo = Path(shutil.copy(shared_dir / "samples" / "images" / "couple_walking.jpg", backend.root))
    out = backend.root / "couple.npz"
    client.send(Submit("couple", "pose", str(photo), {"preset": "preview"}, "", (str(out),)))
    done, before = client.until(JobDone)
    (frame,) = (one for one in before if isinstance(one, FrameResult))
    take = read_take(Path(done.take), raw=True)
    assert done.people == tuple(take.track_ids) == tuple(frame.arrays["track_id"]) and len(done.people) == 2
    assert (frame.index, frame.time, done.frames) == (0, float(take.times[0]), 1)
    for name in ("pose", "transl", "joints", "joints_2d", "hypotheses_pose", "vertex_std"):
        np.testing.assert_array_equal(frame.arrays[name], np.asarray(getattr(take, name))[:, 0], err_msg=name)
    with np.load(out, allow_pickle=False) as exported:
        assert exported["joints"].shape == (2, 1, 24, 3)

    for wrong, kind in (
        (Submit("film", "animate", str(photo)), "input.is_picture"),
        (Submit("glb", "pose", str(photo), {}, "", (str(backend.root / "x.glb"),)), "output.unknown_kind"),
        (Submit("again", "pose", str(photo), {"preset": "preview"}, done.take), "take.exists"),
        (Submit("gone", "animate", str(backend.root / "gone.mp4")), "input.not_found"),
    ):
        client.send(wrong)
        failed, _ = client.until(JobFailed)
        assert (failed.job, failed.error["kind"]) == (wrong.job, kind)
