"""`hmdiff batch` with real clips and the shipped weights: folders, lists, failures, Ctrl+C, kill and --resume."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hmdiff.batch.plan import plan
from hmdiff.video.source import open_source
from hmdiff_wire.batch import Batch, read_batch, write_batch
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import read_manifest, read_take
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "assets" / "demo" / "demo.mp4"
QUICK = ("--hypotheses", "2", "--steps", "1")


def start(*words: object) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT / "backend"), str(ROOT / "shared")])
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "hmdiff.cli", "batch", *map(str, words)], text=True,
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def batch(*words: object) -> tuple[int, str, str]:
    child = start(*words)
    out, err = child.communicate(timeout=300)
    return child.returncode, out, err


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo, a file that is none, twelve pictures as a clip, the shipped clip, an empty photo of nobody."""
    folder = tmp_path_factory.mktemp("Dreh am Fluß")
    pictures = folder / "b walk"
    pictures.mkdir()
    for frame in open_source(DEMO, (30, 42)):
        Image.fromarray(frame.image_rgb).save(pictures / f"f_{frame.index}.jpg")
    Image.open(pictures / "f_30.jpg").save(folder / "a photo.png")
    Image.fromarray(np.zeros((240, 320, 3), np.uint8)).save(folder / "c nobody.png")
    (folder / "d broken.mp4").write_bytes(b"no film")
    (folder / "notes.txt").write_text("not footage")
    return folder


@pytest.fixture(scope="module")
def finished(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Path]:
    out = tmp_path_factory.mktemp("out") / "results"
    code, said, _ = batch(footage, "-o", out, *QUICK, "--write", ".npz")
    return code, said, out


def test_a_folder_becomes_takes_outputs_and_a_page_with_reasons(finished, footage: Path):
    code, said, out = finished
    assert code == 4, said
    done = read_batch(out / "batch.json")
    assert [(entry.name, entry.kind, entry.state) for entry in done.entries] == [
        ("a photo", "pose", "done"), ("b walk", "animate", "done"), ("c nobody", "pose", "failed"),
        ("d broken", "animate", "failed"),
    ]  # fmt: skip
    photo, walk, nobody, broken = done.entries
    assert read_take(Path(walk.take)).n_frames == 12 and read_manifest(Path(photo.take)).status == "complete"
    assert (out / "b_walk.npz").is_file() and (out / "a_photo.npz").is_file()
    assert walk.quality["frames"] == 12 and walk.quality["people"] == 1 and walk.quality["unseen"] == 0
    assert 0.5 < walk.quality["confidence"] <= 1 and 0 < walk.quality["doubt_mm"] <= walk.quality["worst_mm"] < 500
    assert nobody.problem is not None and nobody.problem["kind"] == "nothing.nobody"
    assert broken.problem is not None and broken.problem["message"] in said and broken.problem["fix"] in said
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert "2 of 4 clips done, 2 failed" in page and broken.problem["fix"].split(";")[0] in page
    with Image.open(out / "thumbnails" / f"{walk.id}.jpg") as picture:
        assert picture.width == 480 and np.asarray(picture).std() > 20


def test_what_is_done_is_skipped_and_new_clips_join(finished, footage: Path):
    _, _, out = finished
    before = {entry.name: entry for entry in read_batch(out / "batch.json").entries}
    code, _, err = batch(footage, "-o", out, *QUICK)
    assert code == 2 and "--resume" in err
    take = Path(before["b walk"].take) / "manifest.json"
    changed = take.stat().st_mtime_ns
    Image.open(footage / "a photo.png").save(footage / "d broken.png")
    (footage / "d broken.mp4").unlink()
    code, said, _ = batch(footage, "-o", out, *QUICK, "--resume")
    after = {entry.source: entry for entry in read_batch(out / "batch.json").entries}
    assert code == 4 and take.stat().st_mtime_ns == changed and "b walk" not in said.partition("clips done")[0]
    assert after[str(footage / "d broken.png")].state == "done"
    gone = after[str(footage / "d broken.mp4")]
    assert gone.state == "failed" and gone.problem is not None and gone.problem["kind"] == "input.not_found"


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 pictures as a clip: two chunks of rows, and long enough that it is still going on when the signal comes."""
    folder = tmp_path_factory.mktemp("long") / "walk"
    folder.mkdir()
    for frame in open_source(DEMO, (0, 120)):
        Image.fromarray(frame.image_rgb).save(folder / f"f_{frame.index}.jpg")
    return folder


def wait_for_rows(out: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if (out / "walk.take" / "chunks" / "000001").is_dir():
            return
        time.sleep(0.01)
    raise AssertionError("it never began")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_kill_keep_what_is_done_and_resume_goes_on(footage: Path, walk: Path, tmp_path: Path, number: int):
    listed = tmp_path / "list.txt"
    listed.write_text(f"# two clips\n{footage / 'a photo.png'}\tpreview\n\n{walk}\n", encoding="utf-8")
    out = tmp_path / "out"
    child = start(listed, "-o", out, *QUICK)
    wait_for_rows(out)
    child.send_signal(number)
    said, _ = child.communicate(timeout=60)
    photo, clip = read_batch(out / "batch.json").entries
    assert photo.state == "done" and photo.options["preset"] == "preview"
    assert (out / "walk.take" / "manifest.json").is_file()
    if number == signal.SIGINT:
        assert child.returncode == 130 and clip.state == "stopped" and "1 of 2 clips done, 1 stopped" in said
    else:
        assert clip.state == "running"
    rows = out / "walk.take" / "chunks" / "000000" / "rows.npy"
    begun = rows.stat().st_mtime_ns
    code, said, err = batch(listed, "-o", out, "--resume", *QUICK)
    assert code == 0, err
    assert "2 of 2 clips done" in said and read_take(out / "walk.take").n_frames == 120
    assert rows.stat().st_mtime_ns == begun, "it went on, it did not begin anew"


def test_blenders_queue_is_a_batch_with_its_own_options_and_takes(footage: Path, tmp_path: Path):
    one = plan(footage, tmp_path / "takes", {"preset": "preview", "frame_range": [0, 3]}).entries[1]
    queue = tmp_path / "queue.json"
    write_batch(queue, Batch("queue", (one,)))
    code, _, err = batch(queue, "-o", tmp_path / "out")
    assert code == 0, err
    assert read_take(tmp_path / "takes" / "b_walk.take").n_frames == 3
    code, said, _ = batch(tmp_path / "out" / "batch.json", "-o", tmp_path / "page", "--summary-only")
    assert code == 0 and Path(said.strip()) == tmp_path / "page" / "summary.html" and Path(said.strip()).is_file()


def test_a_full_disk_stops_the_batch_and_says_so(footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from hmdiff.batch import work

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work, "run", full)
    begun = plan(footage, tmp_path / "out", {})
    ended = work.work_off(begun, work.Orders(tmp_path / "b.json", tmp_path), lambda *_: lambda *_: None, lambda _: None)
    assert [entry.state for entry in ended.entries] == ["failed", *["waiting"] * (len(begun.entries) - 1)]
    assert ended.entries[0].problem is not None and ended.entries[0].problem["kind"] == "disk.full"
    assert [entry.state for entry in work.again(ended).entries] == ["waiting"] * len(begun.entries)


@pytest.mark.parametrize("content", ["", "\n# nothing\n", b"\xff\xfe\x00binary"])
def test_a_list_without_clips_is_said(tmp_path: Path, content):
    file = tmp_path / "list.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(HmdiffError) as caught:
        plan(file, tmp_path / "out", {})
    assert caught.value.kind in ("batch.empty", "batch.foreign")
