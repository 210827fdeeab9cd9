"""The preview of a run, fed and shown: what ``SceneWork`` lets happen to it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import bpy

from .core.effects import BeginPreview, ShowFrame

FOLLOW_SECONDS = 0.02
"""The timeline follows the run only in scenes that Blender evaluates within this time."""


class PreviewWork:
    """At most one preview at a time. follow_took: seconds by which the timeline's last move held the main thread."""

    def __init__(self) -> None:
        self.follow_took = 0.0
        self._preview: Any | None = None
        self._job = ""
        self._shown_frame: float | None = None
        self._can_follow = True

    @property
    def there(self) -> bool:
        return self._preview is not None

    def begin(self, effect: BeginPreview) -> None:
        from .scene.preview import Preview

        self.close()
        if effect.request.kind == "animate":
            self._preview = Preview(Path(effect.take), effect.request.start_frame)
            self._job = effect.job_id
            self._shown_frame, self._can_follow = None, True

    def feed(self, effect: ShowFrame) -> None:
        if self._preview is not None and effect.job_id == self._job:
            self._preview.feed(effect.time, effect.arrays)

    def advance(self) -> object:
        """One slice; None when there is nothing to do just now. Errors: those of reading the take, of Blender."""
        assert self._preview is not None
        done = self._preview.advance()
        if done is None:
            self._follow()
        return done

    def drop(self, job_id: str) -> None:
        """Take what it has put into the scene away again."""
        from .scene.importer import remove_objects
        from .scene.preview import preview_objects, remove_preview_files

        if self._preview is None or self._job != job_id:
            return
        preview = self._preview
        self.close()
        if preview.clip:
            remove_objects(preview_objects(preview.clip))
            remove_preview_files(preview.folder)

    def interrupt(self) -> None:
        if self._preview is not None:
            self._preview.interrupt()

    def close(self) -> None:
        """Let go of it; what is in the scene stays."""
        if self._preview is not None:
            self._preview.close()
        self._preview, self._job = None, ""

    def _follow(self) -> None:
        """Move the timeline to the newest frame, unless the artist plays, works on something or it is too slow."""
        assert self._preview is not None
        newest, scene = self._preview.newest, bpy.context.scene
        if newest is None or newest == self._shown_frame or not self._can_follow or not scene.hmdiff.follow:
            return
        if bpy.context.screen is not None and bpy.context.screen.is_animation_playing:
            return
        began = time.perf_counter()
        scene.frame_set(int(newest))
        self._shown_frame = newest
        self.follow_took = time.perf_counter() - began
        self._can_follow = self.follow_took < FOLLOW_SECONDS
