"""The backend's part of the sidebar: in every state one sentence and one button; offline access is asked for."""

from __future__ import annotations

from types import SimpleNamespace

import bpy
import pytest
from hmdiff_blender.core.events import SetUpAsked
from hmdiff_blender.core.setup_rules import BROKEN, INTERRUPTED, NOT_INSTALLED, OFFLINE
from hmdiff_blender.core.state import AppState, Backend, Problem, SetUp

FETCHING = SetUp("Fetching torch, 120 of 374 MB", 0.4, 61.0)


class Layout(SimpleNamespace):
    """Notes what is drawn."""

    def label(self, text: str = "", **_):
        self.said.append(text)

    def progress(self, factor: float = 0.0, text: str = "", **_):
        self.said.append(text)

    def operator(self, name: str, text: str = "", **_):
        if name != "hmdiff.copy_report":
            self.buttons.append((name, text))
        return SimpleNamespace()

    def __getattr__(self, name: str):
        return lambda *_, **__: Layout(said=self.said, buttons=self.buttons)


def drawn(state: AppState) -> tuple[str, list[tuple[str, str]]]:
    from hmdiff_blender.panels import main

    layout = Layout(said=[], buttons=[])
    preferences = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    main._backend(layout, SimpleNamespace(preferences=preferences, region=None), state)
    return " ".join(layout.said), layout.buttons


@pytest.mark.parametrize(
    ("backend", "sentence", "button"),
    [
        (Backend("absent", NOT_INSTALLED), NOT_INSTALLED.message, ("hmdiff.set_up", "Set Up")),
        (Backend("absent", INTERRUPTED), INTERRUPTED.message, ("hmdiff.set_up", "Go On")),
        (Backend("absent", BROKEN), BROKEN.message, ("hmdiff.set_up", "Go On")),
        (Backend("absent", OFFLINE), OFFLINE.message, ("hmdiff.allow_online", "Allow Online Access")),
        (Backend("installing", set_up=FETCHING), "Fetching torch, 120 of 374 MB.", ("hmdiff.stop_backend", "Stop")),
        (Backend("failed", Problem("setup.network", "It broke off.", "Go on.")), "It broke off.",
         ("hmdiff.set_up", "Go On")),
        (Backend("stopped"), "The backend is not running; Run starts it.", ("hmdiff.start_backend", "Start")),
        (Backend("starting"), "The backend is starting.", ("hmdiff.stop_backend", "Stop")),
        (Backend("ready"), "The backend is ready.", ("hmdiff.stop_backend", "Stop")),
        (Backend("ready", attached=True), "Connected to a running backend.", ("hmdiff.stop_backend", "Disconnect")),
        (Backend("failed", Problem("backend.died", "It stopped.", "Run.")), "No backend.",
         ("hmdiff.start_backend", "Start Again")),
    ],
)  # fmt: skip
def test_one_sentence_and_one_button(addon, backend, sentence, button):
    addon()
    said, buttons = drawn(AppState(backend, now=1.0))
    assert sentence in said and buttons == [button]


def test_blenders_own_setting_is_asked_for_and_changed_by_the_button_alone(addon, monkeypatch):
    here = addon()
    session = here.session
    asked = []
    monkeypatch.setattr(session, "dispatch", asked.append)
    system = bpy.context.preferences.system
    system.use_online_access = False
    bpy.ops.hmdiff.set_up()
    assert asked == [SetUpAsked(online=False)] and not system.use_online_access
    bpy.ops.hmdiff.allow_online()
    assert system.use_online_access and asked[-1] == SetUpAsked(online=True)
    system.use_online_access = False
