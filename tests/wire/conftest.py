from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("take_maker", Path(__file__).with_name("take_maker.py"))
assert _spec and _spec.loader
take_maker = importlib.util.module_from_spec(_spec)
sys.modules.setdefault("take_maker", take_maker)
_spec.loader.exec_module(take_maker)


@pytest.fixture(scope="session")
def body_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return take_maker.small_body(tmp_path_factory.mktemp("body") / "body.npz")
