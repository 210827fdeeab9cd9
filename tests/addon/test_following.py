"""The body that follows while a joint is dragged, in the running add-on against the fake backend."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from hmdiff_blender import corrections, following, preferences
from hmdiff_blender.core.events import StopAsked
from hmdiff_blender.overlays import followed, joints
from hmdiff_blender.scene import clips, naming, stored_edits
from seen import vertices

WRIST = "landmark:left_wrist"


@pytest.fixture
def walk(finished_clip):
    """At frame 13 of the scene, 12 of the source, with the joints shown."""
    bpy.context.scene.frame_set(13)
    bpy.context.window_manager.hmdiff_work.keypoints = True
    return finished_clip, clips.roots()[0], joints.wait()


def drag_to(here, root, found, dx):
    """-> the ghost, once the backend has answered."""
    wrist = found.detected["left_wrist"]
    edit = {"frame": 12, "track_id": found.track, "joint": WRIST, "x": wrist.x + dx, "y": wrist.y, "confidence": 1.0}
    following.moved(edit)
    drag = here.session.state().drag
    assert drag.sent, here.session.state()
    before = followed.wait()
    here.pump(lambda: not here.session.state().drag.sent)
    here.pump(lambda: followed.wait() is not before)
    return followed.current()


def begin(root, found):
    following.begin(bpy.context, root, found.frame, found.track, WRIST)


def in_the_world(frame=13):
    matrix = np.array(naming.find("body")[0].matrix_world)
    return vertices(frame) @ matrix[:3, :3].T + matrix[:3, 3]


def test_the_ghost_is_where_the_body_will_be(walk):
    here, root, found = walk
    root.location.x += 0.5
    bpy.context.view_layer.update()
    before, data = in_the_world(), {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "materials")}
    begin(root, found)
    first = drag_to(here, root, found, 40)
    second = drag_to(here, root, found, 80)
    assert (
        np.linalg.norm(second.vertices - before, axis=1).max() > np.linalg.norm(first.vertices - before, axis=1).max()
    )
    assert np.array_equal(in_the_world(), before) and data == {name: len(getattr(bpy.data, name)) for name in data}
    following.end(kept=True)
    wrist = found.detected["left_wrist"]
    bpy.ops.hmdiff.move_keypoint(name="left_wrist", place=(wrist.x + 80, wrist.y))
    following.settle()
    assert followed.current() is second, "it stays until the body has followed"
    here.pump(lambda: not corrections.waits() and not here.session.get().work.busy)
    assert followed.current() is None
    np.testing.assert_allclose(in_the_world(), second.vertices, atol=2e-4)


def test_a_drag_that_is_given_up_leaves_no_trace(walk):
    here, root, found = walk
    before, sent = in_the_world(), stored_edits.edits_of(root)
    begin(root, found)
    assert drag_to(here, root, found, 40) is not None
    following.moved({"frame": 12, "track_id": found.track, "joint": WRIST, "x": 1.0, "y": 2.0, "confidence": 1.0})
    following.end(kept=False)
    assert followed.current() is None and here.session.state().drag is None
    for _ in range(30):
        here.session.pump()
    assert followed.wait() is None and not corrections.waits() and here.job.request.kind == "animate"
    assert stored_edits.edits_of(root) == sent and np.array_equal(in_the_world(), before)
    assert not (naming.folder_of(root) / "versions").exists()


def test_the_clips_own_body_shape_is_kept(walk):
    here, root, found = walk
    edits = stored_edits.edits_of(root)
    own = tuple(float(value) for value in range(10))
    person = edits.of(found.track)
    here.session.edit_clip(
        root, edits.with_person(found.track, type(person)(person.picks, person.locks, own)), "HMDiff shape"
    )
    here.pump(lambda: not here.session.get().work.busy)
    begin(root, found)
    pushed = drag_to(here, root, found, 40).vertices - in_the_world()
    assert np.ptp(pushed, axis=0).max() < 1e-3 < 0.05 < np.abs(pushed).max(), "the fake pushes the whole body sideways"


def test_only_in_its_frame_and_only_where_it_is_wanted(walk, monkeypatch):
    here, root, found = walk
    begin(root, found)
    ghost = drag_to(here, root, found, 40)
    bpy.context.scene.frame_set(14)
    assert followed.current() is None
    bpy.context.scene.frame_set(13)
    assert followed.current() is ghost
    following.forget()
    assert followed.current() is None
    monkeypatch.setattr(preferences, "follows_drags", lambda: False)
    begin(root, found)
    following.moved({"frame": 12, "track_id": found.track, "joint": WRIST, "x": 1.0, "y": 2.0, "confidence": 1.0})
    assert here.session.state().drag is None
    following.end(kept=True)


def test_a_correction_that_cannot_be_asked_for_takes_the_ghost_away(walk):
    here, root, found = walk
    work = bpy.context.window_manager.hmdiff_work
    begin(root, found)
    assert drag_to(here, root, found, 40) is not None
    following.end(kept=True)
    work.scope, work.first, work.last = "RANGE", 1, 5
    with pytest.raises(RuntimeError, match="outside the range"):
        bpy.ops.hmdiff.move_keypoint(name="left_wrist", place=(10.0, 10.0))
    following.settle()
    assert followed.current() is None


def test_without_a_backend_the_drag_is_as_before(walk):
    here, root, found = walk
    here.session.dispatch(StopAsked())
    here.pump(lambda: here.session.state().backend.phase == "stopped")
    begin(root, found)
    wrist = found.detected["left_wrist"]
    for dx in range(1, 20):
        edit = {
            "frame": 12,
            "track_id": found.track,
            "joint": WRIST,
            "x": wrist.x + dx,
            "y": wrist.y,
            "confidence": 1.0,
        }
        following.moved(edit)
        here.session.pump()
    assert here.session.state().backend.phase == "stopped" and not here.session.state().drag.count
    following.end(kept=True)
    bpy.ops.hmdiff.move_keypoint(name="left_wrist", place=(wrist.x + 20, wrist.y))
    here.pump(lambda: not corrections.waits() and not here.session.get().work.busy)
    assert here.job.phase == "done" and stored_edits.edits_of(root).version == 2
