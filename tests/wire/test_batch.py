"""The batch file: its changes as arithmetic, what is on disk, the page about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hmdiff_wire.batch import (
    Batch,
    Entry,
    added,
    changed,
    free_take,
    moved,
    read_batch,
    recovered,
    removed,
    retried,
    write_batch,
)
from hmdiff_wire.batch_page import quality_lines, spoken, summary_page
from hmdiff_wire.errors import HmdiffError

OOPS = {"kind": "nothing.nobody", "message": "Nobody was found in <b>.mp4.", "fix": "Mark the person.", "detail": ""}


def three() -> Batch:
    entries = [Entry(f"/clips/{name}.mp4", f"/takes/{name}.take", label=name, id=name) for name in "abc"]
    return added(Batch("shoot"), entries)


def names(batch: Batch) -> str:
    return "".join(entry.id for entry in batch.entries)


def test_order_and_removal() -> None:
    batch = three()
    assert [names(moved(batch, one, by)) for one, by in (("a", 1), ("c", -1), ("a", -1), ("b", 9), ("?", 1))] == [
        "bac", "acb", "abc", "acb", "abc",
    ]  # fmt: skip
    assert names(removed(batch, "b")) == "ac"
    assert names(removed(changed(batch, "b", state="running"), "b")) == "abc", "what is being worked on stays"
    assert batch.next_waiting is not None and batch.next_waiting.id == "a"
    assert changed(batch, "a", state="done").next_waiting == batch.entries[1]


def test_again_goes_on_with_the_take_unless_it_cannot(tmp_path: Path) -> None:
    batch = changed(three(), "a", state="failed", problem=OOPS, take=str(tmp_path / "a.take"))
    again = retried(batch, "a").entries[0]
    assert (again.state, again.problem, again.take) == ("waiting", None, str(tmp_path / "a.take"))
    other = changed(batch, "a", problem={**OOPS, "kind": "take.other_footage"})
    (tmp_path / "a.take").mkdir()
    assert retried(other, "a").entries[0].take == str(tmp_path / "a-2.take"), "the old take is left as it is"
    done = changed(batch, "a", state="done")
    assert retried(done, "a").entries[0].state == "waiting", "its take is gone"
    (tmp_path / "a.take" / "manifest.json").write_text("{}")
    assert retried(done, "a") == done


def test_after_a_crash_what_was_in_work_waits_and_nothing_starts_by_itself() -> None:
    batch = Batch(entries=changed(changed(three(), "a", state="done"), "b", state="running").entries, paused=False)
    after = recovered(batch)
    assert [entry.state for entry in after.entries] == ["done", "waiting", "waiting"] and after.paused


def test_takes_have_names_of_their_own(tmp_path: Path) -> None:
    batch = added(Batch(), [Entry("/x/walk.mp4", str(tmp_path / "walk.take"))])
    assert free_take(tmp_path, "walk", batch) == tmp_path / "walk-2.take"
    assert free_take(tmp_path, "Tänzer: Küche/7", batch) == tmp_path / "Tänzer_Küche_7.take"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    entry = Entry("/clips/Mädchen.mp4", "/t/1.take", options={"preset": "quality", "boxes": [[0.0, 1.0, 2.0, 3.0]]})
    batch = added(changed(three(), "a", state="failed", problem=OOPS, seconds=3.5), [entry])
    path = tmp_path / "deep" / "batch.json"
    write_batch(path, batch)
    assert read_batch(path) == batch and list(path.parent.iterdir()) == [path]
    data = json.loads(path.read_text(encoding="utf-8"))
    data["entries"][0]["of a later release"] = 1
    path.write_text(json.dumps(data), encoding="utf-8")
    assert read_batch(path) == batch


@pytest.mark.parametrize(
    ("text", "kind"),
    [(None, "batch.missing"), ("{", "batch.foreign"), ("[]", "batch.foreign"), ('{"format": "x"}', "batch.foreign"),
     ('{"format": "hmdiff.batch", "version": 9}', "batch.newer"),
     ('{"format": "hmdiff.batch", "version": 1, "entries": [{"source": 1}]}', "batch.foreign"),
     ('{"format": "hmdiff.batch", "version": 1, "entries": [{"source": "a", "take": "b", "state": "odd"}]}',
      "batch.foreign")],
)  # fmt: skip
def test_a_bad_file_is_said(tmp_path: Path, text: str | None, kind: str) -> None:
    path = tmp_path / "batch.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(HmdiffError) as caught:
        read_batch(path)
    assert caught.value.kind == kind and caught.value.fix


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "batch.json"
    write_batch(path, three())

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError):
        write_batch(path, Batch())
    monkeypatch.undo()
    assert read_batch(path) == three()


def test_the_page_says_what_came_out_and_what_to_do() -> None:
    quality = {
        "frames": 120,
        "people": 1,
        "unseen": 12,
        "held": 4,
        "confidence": 0.913,
        "doubt_mm": 31.4,
        "worst_mm": 88,
    }
    batch = changed(three(), "a", state="done", quality=quality, seconds=61.2)
    batch = changed(batch, "b", state="failed", problem=OOPS)
    assert spoken(batch) == "1 of 3 clips done, 1 waiting, 1 failed, in 1 min 1 s."
    assert quality_lines(quality) == [
        "1 person, 120 frames", "nobody seen in 12 of them (10 %)", "pose held over 4 missed frames",
        "detector's confidence 91%", "hypotheses differ by 31 mm, in the worst frame 88 mm",
    ]  # fmt: skip
    page = summary_page(batch, {"a": "thumbnails/a.jpg"})
    assert 'src="thumbnails/a.jpg"' in page and "nobody seen in 12 of them" in page
    assert "Nobody was found in &lt;b&gt;.mp4." in page and "Mark the person." in page and "<script" not in page
