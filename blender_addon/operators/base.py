"""What all operators share: an error a person can act on instead of a traceback."""

from __future__ import annotations

import traceback
from typing import Any

from hmdiff_wire.errors import HmdiffError


class Speaking:
    """Mix-in before bpy.types.Operator: ``work`` does it and may raise HmdiffError."""

    def work(self, context: Any) -> set[str]:
        raise NotImplementedError

    def execute(self, context: Any) -> set[str]:
        try:
            return self.work(context)
        except HmdiffError as error:
            if error.detail:
                print("HMDiff:", error.kind, error.detail, flush=True)
            self.report({"ERROR"}, f"{error.message} {error.fix}".strip())  # type: ignore[attr-defined]
        except Exception as error:
            print("HMDiff:", traceback.format_exc(), flush=True)
            self.report(  # type: ignore[attr-defined]
                {"ERROR"},
                f"Something broke inside HMDiff ({error!r}). Please report it with the system console's text.",
            )
        return {"CANCELLED"}
