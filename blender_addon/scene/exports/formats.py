"""The formats, what each of them can hold, and how its files are called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmdiff_wire.amass import SUFFIX as AMASS_SUFFIX
from hmdiff_wire.errors import HmdiffError

from . import alembic, amass, blend, bvh, fbx, gltf, point_cache, usd
from .wish import What, Wish

WORDS = {
    What.RIGGED: "bodies with bones",
    What.BODY: "bodies with moving vertices",
    What.ARMATURE: "bones alone",
}


@dataclass(frozen=True)
class Format:
    """name: of the choice in the panel; holds: the best first; write(path, wish) returns what it wrote."""

    name: str
    label: str
    suffixes: tuple[str, ...]
    holds: tuple[What, ...]
    write: Callable[[Path, Wish], list[Path]]

    @property
    def suffix(self) -> str:
        return self.suffixes[0]


FORMATS = (
    Format("FBX", "FBX", (".fbx",), (What.RIGGED, What.ARMATURE, What.BODY), fbx.write),
    Format("GLB", "glTF (.glb)", (".glb",), (What.RIGGED, What.ARMATURE, What.BODY), gltf.write),
    Format("BVH", "BVH", (".bvh",), (What.ARMATURE,), bvh.write),
    Format("ALEMBIC", "Alembic", (".abc",), (What.BODY,), alembic.write),
    Format("USD", "USD", (".usdc", ".usd", ".usda"), (What.BODY, What.RIGGED), usd.write),
    Format("AMASS", "AMASS (.npz)", (AMASS_SUFFIX,), (What.ARMATURE,), amass.write),
    Format("PC2", "Point cache (.pc2)", (".pc2",), (What.BODY,), point_cache.write),
)
BLEND = Format("BLEND", "Blender", (".blend",), tuple(What), blend.write)
SUFFIXES = tuple(suffix for form in (BLEND, *FORMATS) for suffix in form.suffixes)


def format_of(path: Path) -> Format:
    """The format a file's name asks for. Errors: ``export.suffix``."""
    suffix = checked_suffix(path)
    return next(form for form in (BLEND, *FORMATS) if suffix in form.suffixes)


def checked_suffix(path: Path) -> str:
    """The suffix in lower case, the longest that fits. Errors: ``export.suffix``."""
    fitting = [suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)]
    if not fitting:
        raise HmdiffError(
            "export.suffix", f"Blender cannot write {path.suffix or 'a file without a suffix'} from here.",
            f"Choose a name that ends in {', '.join(SUFFIXES)}.",
        )  # fmt: skip
    return max(fitting, key=len)
