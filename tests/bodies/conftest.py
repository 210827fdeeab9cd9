from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("body_maker", Path(__file__).with_name("body_maker.py"))
assert _spec and _spec.loader
body_maker = importlib.util.module_from_spec(_spec)
sys.modules.setdefault("body_maker", body_maker)
_spec.loader.exec_module(body_maker)
