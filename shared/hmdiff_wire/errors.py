"""Errors as data: a kind for programs, one sentence and a fix for people, detail for the log."""

from __future__ import annotations

from typing import Any


class HmdiffError(Exception):
    """An error a person may see.

    kind: stable identifier such as ``input.not_found``; message: one sentence; fix: what to do about it;
    detail: anything for the log.
    """

    def __init__(self, kind: str, message: str, fix: str, detail: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.fix = fix
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".strip()

    def to_dict(self) -> dict[str, str]:
        return {"kind": self.kind, "message": self.message, "fix": self.fix, "detail": self.detail}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> HmdiffError:
        return cls(*(str(data.get(key, "")) for key in ("kind", "message", "fix", "detail")))
