"""Show 4 in Blender: killed Blender, killed backend, lost take, changed footage. A sentence, a button, no lost work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import bpy
import pytest
from hmdiff_blender import registration
from hmdiff_blender.core.journal import left_behind
from hmdiff_blender.core.remedies import REMEDIES, remedy
from hmdiff_blender.core.state import Problem
from hmdiff_blender.core.words import job_words
from hmdiff_blender.scene import clips, naming
from hmdiff_wire.take import read_take

GONE = 2**22 + 11
"""No process has this id."""


def test_a_blender_that_was_killed_offers_to_go_on_the_next_time(addon):
    here = addon("--frames", "120", "--delay", "0.01")
    here.run()
    here.pump(lambda: here.job.frames >= 40)
    take = here.job.take
    (note,) = (here.folder / "user" / "backend").glob("run-*.json")
    registration.unregister()
    note.rename(note.with_name(f"run-{GONE}.json"))  # this process goes on, Blender's would not
    registration.register()
    bpy.ops.wm.read_factory_settings(use_empty=True)

    left = here.session.state().job
    assert left is not None and left.take == take and left.resumable
    words = job_words(left)
    assert (
        words.alert
        and "Blender was closed" in words.text
        and words.button is not None
        and words.button.action == "resume"
    )
    assert bpy.ops.hmdiff.resume() == {"FINISHED"}
    here.pump(lambda: here.job.phase == "done")
    assert not list(note.parent.glob("run-*.json")), "nothing is left to go on with"
    assert len(naming.find("body")) == 1 and read_take(Path(take)).n_frames == 120
    assert left_behind(here.folder / "user" / "backend") is None


def test_a_note_that_nobody_can_use_is_passed_over(tmp_path: Path):
    (tmp_path / f"run-{GONE}.json").write_text("{", encoding="utf-8")
    (tmp_path / "run-x.json").write_text(json.dumps({"request": {"kind": "animate"}}), encoding="utf-8")
    assert left_behind(tmp_path) is None and left_behind(tmp_path / "missing") is None


def test_a_killed_backend_is_said_and_resumed(addon):
    here = addon("--frames", "120", "--delay", "0.01")
    here.run()
    here.pump(lambda: here.job.frames >= 40)
    here.session.get().engine.process.stop(0.0, force=True)
    here.finished()
    assert here.job.phase == "failed" and here.job.resumable and len(naming.find("body")) == 1, "what was done is there"
    bpy.ops.hmdiff.resume()
    here.pump(lambda: here.job.phase == "done")
    assert len(naming.find("body")) == 1 and clips.info(clips.roots()[0]).complete


def test_a_take_that_was_moved_is_found_again(addon, tmp_path):
    here = addon("--frames", "20")
    here.run()
    here.finished()
    take = Path(here.job.take)
    elsewhere = tmp_path / "other disk" / "walk.take"
    elsewhere.parent.mkdir()
    shutil.move(take, elsewhere)
    bpy.ops.hmdiff.show_hypothesis(index=1)
    here.pump(lambda: here.session.notice() is not None)
    problem = here.session.notice()
    mends = remedy(problem)
    assert problem.kind == "take.missing" and mends is not None and mends.operator == "hmdiff.find_take"
    with pytest.raises(RuntimeError, match="not a take"):
        bpy.ops.hmdiff.find_take(directory=str(tmp_path))
    shutil.copytree(elsewhere, tmp_path / "foreign.take")
    manifest = tmp_path / "foreign.take" / "manifest.json"
    data = json.loads(manifest.read_text(encoding="utf-8"))
    data["header"]["uuid"] = "0" * 32
    manifest.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(RuntimeError, match="another clip"):
        bpy.ops.hmdiff.find_take(directory=str(tmp_path / "foreign.take"))
    assert bpy.ops.hmdiff.find_take(directory=str(elsewhere)) == {"FINISHED"}
    assert here.session.notice() is None
    bpy.ops.hmdiff.show_hypothesis(index=1)
    here.pump(lambda: clips.info(clips.roots()[0]).shown == 1)


def test_footage_that_has_changed_is_begun_anew_beside_the_old_take(addon):
    here = addon("--frames", "120", "--delay", "0.01")
    here.run(preset="preview")
    here.pump(lambda: here.job.frames >= 40)
    bpy.ops.hmdiff.cancel()
    here.finished()
    old, options = here.job.take, dict(here.job.request.options)
    mends = remedy(Problem("take.other_footage", "It has changed."))
    assert mends is not None and mends.operator == "hmdiff.run_anew"
    assert bpy.ops.hmdiff.run_anew() == {"FINISHED"}
    here.finished()
    assert here.job.phase == "done" and here.job.take != old and dict(here.job.request.options) == options
    assert Path(old, "manifest.json").is_file()


def test_every_remedy_is_a_button_that_exists(addon):
    addon()
    for mends in REMEDIES.values():
        group, name = mends.operator.split(".")
        assert hasattr(bpy.types, f"{group.upper()}_OT_{name}"), mends
