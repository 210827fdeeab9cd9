"""Runs as an artist starts them, from the button to the bodies in the scene."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest
from hmdiff_blender.scene import clips, naming
from hmdiff_blender.scene.axes import world_from_camera
from hmdiff_blender.scene.preview import preview_objects
from hmdiff_wire.take import read_take


def bodies():
    return naming.find("body")


def take_of(body):
    return read_take(naming.folder_of(body))


def evaluated(item):
    mesh = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def assert_shows(body, root, position, frame):
    bpy.context.scene.frame_set(frame)
    take = take_of(body)
    expected = take.decode(0, position)[0] @ world_from_camera(np.array(take.header.up)).T
    assert np.abs(evaluated(body) - expected).max() < 1e-4


def test_registering_starts_nothing():
    script = (
        "import sys, importlib.util as u; s=u.spec_from_file_location('m', sys.argv[1]); m=u.module_from_spec(s);"
        "s.loader.exec_module(m); from pathlib import Path; m.load_package('hmdiff_blender', Path(sys.argv[1]).parent);"
        "import bpy, hmdiff_blender as h; h.register(); print('zmq' in sys.modules, 'socket' in sys.modules and False);"
        "from hmdiff_blender import session; print(session.exists(), bpy.app.timers.is_registered(session._on_timer));"
        "h.unregister(); print(hasattr(bpy.types.Scene, 'hmdiff'), hasattr(bpy.types, 'HMDIFF_PT_main'))"
    )
    main = Path(__file__).resolve().parents[2] / "blender_addon" / "__main__.py"
    env = {"PYTHONPATH": str(main.parents[1] / "shared"), "PATH": "/usr/bin:/bin", "HOME": "/tmp"}
    done = subprocess.run([sys.executable, "-c", script, str(main)], capture_output=True, text=True, env=env)
    assert done.stdout.split() == ["False", "False", "False", "False", "False", "False"], done.stderr[-2000:]


def test_a_clip_comes_in_while_it_runs_and_takes_its_place_as_one_undo_step(addon):
    here = addon("--frames", "40", "--people", "2", "--delay", "0.02")
    here.run()
    here.pump(preview_objects)
    assert here.job.phase == "running" and not bodies()
    here.finished()
    assert here.job.phase == "done" and here.job.problem is None
    assert len(bodies()) == 2 and not preview_objects()
    root = clips.roots()[0]
    assert clips.info(root).complete and clips.info(root).people == 2
    assert_shows(bodies()[0], root, 0, 1)
    take = take_of(bodies()[0])
    assert take.run_status == "complete" and take.n_frames == 40
    assert not list(take.folder.glob("blender/*"))

    bpy.ops.ed.undo()
    assert not bodies() and not preview_objects() and not clips.roots()
    bpy.ops.ed.redo()
    assert len(bodies()) == 2


def test_cancel_keeps_what_is_there_and_resume_finishes_it_in_place(addon):
    here = addon("--frames", "200", "--delay", "0.01")
    here.run(start="CURRENT")
    here.pump(lambda: here.job.frames >= 20)
    bpy.ops.hmdiff.cancel()
    here.finished()
    assert here.job.phase == "cancelled"
    kept = take_of(bodies()[0]).n_frames
    root = clips.roots()[0]
    assert 20 <= kept < 200 and not clips.info(root).complete
    root.location.x += 2.0
    assert bpy.ops.hmdiff.resume() == {"FINISHED"}
    here.finished()
    assert here.job.phase == "done", here.job
    assert len(bodies()) == 1 and take_of(bodies()[0]).n_frames == 200
    root = clips.roots()[0]
    assert (
        clips.info(root).complete
        and root.location.x - root[naming.ORIGIN][0] == pytest.approx(2.0)
        and len(clips.roots()) == 1
    )


def test_a_worker_that_dies_is_told_and_the_run_can_go_on(addon):
    here = addon("--frames", "80", "--die-at", "50", "--delay", "0.002")
    here.run()
    here.finished()
    assert here.job.phase == "failed" and here.job.problem.kind == "worker.died"
    assert here.job.problem.message and here.job.problem.fix
    assert len(bodies()) == 1 and not preview_objects() and not clips.info(clips.roots()[0]).complete
    bpy.ops.hmdiff.resume()
    here.finished()
    assert here.job.phase == "done" and take_of(bodies()[0]).n_frames == 80 and len(bodies()) == 1


def test_a_run_that_fails_before_its_first_frame_leaves_the_scene_as_it_was(addon):
    here = addon("--frames", "40", "--fail-at", "0")
    before = {item.name for item in bpy.data.objects}
    here.run()
    here.finished()
    assert here.job.phase == "failed" and here.job.problem.fix
    assert {item.name for item in bpy.data.objects} == before and not bpy.data.collections


def test_another_file_during_a_run_ends_in_a_clean_state_and_the_saved_one_goes_on(addon, tmp_path):
    here = addon("--frames", "300", "--delay", "0.01")
    here.run()
    here.pump(preview_objects)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "middle.blend"))
    here.pump(lambda: here.job.frames >= 40)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert here.job is None and not preview_objects()
    here.pump(lambda: here.session.pump() is not None and here.session.state().backend.phase == "ready")
    for _ in range(20):
        here.session.pump()
    assert not bpy.data.objects and here.job is None

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "middle.blend"))
    root = clips.roots()[0]
    assert clips.info(root).running and preview_objects()
    bpy.ops.hmdiff.resume()
    here.finished()
    assert here.job.phase == "done", here.job
    assert take_of(bodies()[0]).n_frames == 300 and not preview_objects()


def test_undo_during_a_run_and_during_the_import_loses_nothing(addon):
    here = addon("--frames", "120", "--delay", "0.005")
    bpy.ops.object.empty_add()
    bpy.ops.ed.undo_push(message="empty")
    here.run()
    here.pump(preview_objects)
    bpy.ops.ed.undo()
    assert not preview_objects()
    here.pump(preview_objects)
    here.pump(lambda: here.session.is_importing())
    for _ in range(3):
        here.session.pump()
    bpy.ops.ed.redo()
    bpy.ops.ed.undo()
    here.finished()
    assert here.job.phase == "done" and len(bodies()) == 1 and not preview_objects()
    assert take_of(bodies()[0]).n_frames == 120


def test_the_addon_switched_off_during_a_run_leaves_nothing_behind(addon):
    import hmdiff_blender

    here = addon("--frames", "500", "--delay", "0.02")
    here.run()
    here.pump(preview_objects)
    process = here.session.get().engine.process
    hmdiff_blender.unregister()
    assert not process.running and not bpy.app.timers.is_registered(here.session._on_timer)
    assert not here.session.exists()
    assert all("hmdiff" not in handler.__module__ for handler in bpy.app.handlers.undo_post)
    hmdiff_blender.register()
    assert here.session.state().job is None
    here.run()
    here.pump(lambda: here.job.frames > 0)


def test_a_photo_poses_a_body_at_the_current_frame(addon):
    here = addon()
    bpy.context.scene.frame_set(33)
    assert bpy.ops.hmdiff.photo(filepath=str(here.photo)) == {"FINISHED"}
    here.finished()
    assert here.job.phase == "done" and len(bodies()) == 1
    armature = naming.find("armature")[0]
    assert tuple(armature.animation_data.action.frame_range) == (33.0, 33.0)
    assert bpy.context.scene.frame_current == 33


def test_only_the_chosen_people_of_the_range_are_asked_for(addon, monkeypatch):
    here = addon("--people", "3", "--frames", "40")
    scene = bpy.context.scene
    scene.hmdiff.filepath = str(here.clip)
    scene.hmdiff.use_range, scene.hmdiff.first, scene.hmdiff.last = True, 11, 20
    assert bpy.ops.hmdiff.find_people() == {"FINISHED"}
    here.finished()
    people = bpy.context.window_manager.hmdiff.people
    assert len(people) == 3 and not bodies()
    people[1].use = False
    here.run(people="chosen")
    options = here.job.request.options
    assert options["boxes"] == [pytest.approx(list(people[0].box)), pytest.approx(list(people[2].box))]
    assert options["frame_range"] == [10, 20]
    here.finished()
    assert take_of(bodies()[0]).frame_indices.tolist() == list(range(10, 20))

    scene.hmdiff.first = 5  # another first frame: who stands where is not known any more
    with pytest.raises(RuntimeError, match="Find People"):
        bpy.ops.hmdiff.run()


def test_hypotheses_are_switched_for_the_clip(addon):
    here = addon("--frames", "30")
    here.run(hypotheses=3)
    here.finished()
    root, body = clips.roots()[0], bodies()[0]
    seen = []
    for _ in range(4):
        bpy.ops.hmdiff.show_hypothesis()
        wanted = (len(seen) + 1) % 4 - 1
        here.pump(lambda wanted=wanted: clips.info(root).shown == wanted)
        seen.append(evaluated(body))
    bpy.ops.hmdiff.show_hypothesis(index=1)
    here.pump(lambda: clips.info(root).shown == 1)
    assert np.allclose(evaluated(body), seen[1]) and not np.allclose(seen[0], seen[1])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"filepath": ""}, "No footage"),
        ({"filepath": "/nowhere/dance.mp4"}, "dance.mp4"),
        ({"source": "CAMERA"}, "no camera"),
        ({"source": "SEQUENCE", "sequence": "/nowhere"}, "nowhere"),
        ({"use_range": True, "first": 50, "last": 20}, "from 50 to 20"),
        ({"people": "chosen"}, "Find People"),
    ],
)
def test_bad_input_is_said_at_once_and_changes_nothing(addon, settings, words):
    here = addon()
    chosen = bpy.context.scene.hmdiff
    chosen.filepath = str(here.clip)
    for name, value in settings.items():
        setattr(chosen, name, value)
    with pytest.raises(RuntimeError, match=words):
        bpy.ops.hmdiff.run()
    assert here.job is None and not bpy.data.objects
