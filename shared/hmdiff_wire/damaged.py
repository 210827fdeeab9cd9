"""What reading a damaged file can raise, in one place, so that every reader makes the same sentence of it."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib

DAMAGED_NPZ: tuple[type[Exception], ...] = (
    # Flipped bits reach every layer: the zip's directory (a version or a compression that nobody knows, an encrypted
    # member, a name in no encoding), the compressed stream, numpy's header, and sizes that no memory holds.
    OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError, NotImplementedError,
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, MemoryError, SyntaxError,
    tokenize.TokenError,
)  # fmt: skip
"""Errors of ``np.load`` of a file that is no whole .npz, and of its arrays (found by flipping bits)."""
