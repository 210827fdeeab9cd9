"""A bone map from the words in bone names, for rigs nobody has listed."""

from __future__ import annotations

import re
from collections.abc import Mapping

SPINE = ("spine1", "spine2", "spine3")
_LEFT = re.compile(r"(?:^|[\W_\d])(?:l|left)(?=$|[\W_\d])|^left|left$|^[lL](?=[A-Z])|(?<=[a-z])L$")
_RIGHT = re.compile(r"(?:^|[\W_\d])(?:r|right)(?=$|[\W_\d])|^right|right$|^[rR](?=[A-Z])|(?<=[a-z])R$")
# In this order: what is said first wins a bone, so "lower leg" is a knee before "leg" can be a hip.
_SIDED = (
    ("foot", r"toe(?!.*\d-[2-9])|ball"),
    ("ankle", r"foot|ankle"),
    ("knee", r"calf|shin|knee|(?:low(?:er)?|fore)[\W_]*leg"),
    ("hip", r"thigh|up(?:per)?[\W_]*leg|upleg|femur"),
    ("hip", r"hip"),
    ("knee", r"^leg$"),
    ("hip", r"^leg$"),
    ("collar", r"clavicle|collar|shoulder"),
    ("elbow", r"(?:fore|low(?:er)?)[\W_]*arm|elbow"),
    ("shoulder", r"up(?:per)?[\W_]*arm|^arm|arm$|humerus|shoulder"),
    ("wrist", r"hand|wrist"),
)
_MIDDLE = (("pelvis", r"pelvis|hips?"), ("head", r"head"), ("neck", r"neck"))
_SPINE = r"spine|chest|torso|abdomen|waist|back"
_NEVER = re.compile(
    r"twist|pole|target|helper|nub|jiggle|corrective|eye|jaw|hair|ctrl_?parent|mch|tweak|vis_|"
    r"thumb|index|middle|ring|pinky|little|finger|metacarpal|breast|pectoral|face|(?<!f)ear(?!m)|tongue|lip|brow|teeth",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"(?:^|[\W_\d])(?:end|ik|roll)(?:$|[\W_\d])", re.IGNORECASE)


def guess(names: list[str], parents: Mapping[str, str | None]) -> dict[str, str]:
    """joint -> bone for what the names tell. parents: bone -> the bone above it, None at the top."""
    found: dict[str, str] = {}
    used: set[str] = set()
    usable = [name for name in names if not _unusable(name)]
    for side, pattern in (("left", _LEFT), ("right", _RIGHT)):
        mine = [name for name in usable if _has(pattern, name)]
        for part, words in _SIDED:
            _take(found, used, f"{side}_{part}", mine, words, parents)
        _one_leg_one_arm(found, used, side, mine, parents)
    middle = [name for name in usable if not _has(_LEFT, name) and not _has(_RIGHT, name)]
    for joint, words in _MIDDLE:
        _take(found, used, joint, middle, words, parents)
    _spine(found, [name for name in middle if name not in used], parents)
    return found


def _take(
    found: dict[str, str], used: set[str], joint: str, names: list[str], words: str, parents: Mapping[str, str | None]
) -> None:
    hits = [] if joint in found else [name for name in names if name not in used and re.search(words, _plain(name))]
    if hits:
        found[joint] = min(hits, key=lambda name: (_depth(name, parents), len(name)))
        used.add(found[joint])


def _one_leg_one_arm(
    found: dict[str, str], used: set[str], side: str, names: list[str], parents: Mapping[str, str | None]
) -> None:
    """Rigs that say only "shoulder" for the upper arm, or "leg" for the thigh, are told by what hangs on what."""
    collar, shoulder, elbow = (f"{side}_{part}" for part in ("collar", "shoulder", "elbow"))
    if shoulder not in found and collar in found and parents.get(found.get(elbow, "")) == found[collar]:
        found[shoulder] = found.pop(collar)
    hip, knee, ankle = (f"{side}_{part}" for part in ("hip", "knee", "ankle"))
    if hip in found and knee not in found and ankle in found:
        above = parents.get(found[ankle])
        if above and above != found[hip] and above not in used:
            found[knee] = above
    if hip not in found and knee in found:
        above = parents.get(found[knee])
        if above and above in names:
            found[hip] = above


def _spine(found: dict[str, str], names: list[str], parents: Mapping[str, str | None]) -> None:
    """Spread our three spine joints over as many bones as there are."""
    chain = [name for name in names if re.search(_SPINE, _plain(name))]
    above_pelvis = set(_above(found.get("pelvis"), parents))
    chain = sorted((name for name in chain if name not in above_pelvis), key=lambda name: (_depth(name, parents), name))
    if "pelvis" not in found and len(chain) > 1:
        found["pelvis"] = chain.pop(0)
    if "neck" in found or "head" in found:
        to_head = set(_above(found.get("neck", found.get("head")), parents))
        on_the_way = [name for name in chain if name in to_head]
        chain = on_the_way or chain
    count = len(chain)
    if count == 1:
        found["spine2"] = chain[0]
    elif count == 2:
        found["spine1"], found["spine3"] = chain
    elif count:
        for joint, at in zip(SPINE, (0, count // 2, count - 1), strict=True):
            found[joint] = chain[at]


def _above(bone: str | None, parents: Mapping[str, str | None]) -> list[str]:
    found = []
    at = parents.get(bone) if bone else None
    while at is not None and at not in found:
        found.append(at)
        at = parents.get(at)
    return found


def _depth(bone: str, parents: Mapping[str, str | None]) -> int:
    return len(_above(bone, parents))


def _plain(name: str) -> str:
    """Without what tells left from right and without a prefix such as ``Bip01:``, in lower case."""
    plain = re.sub(r"^.*:", "", name)
    plain = re.sub(r"(?:^|(?<=[\W_\d]))(?:left|right|l|r)(?=$|[\W_\d])", "", plain, flags=re.IGNORECASE)
    plain = re.sub(r"^(?:left|right)|(?:left|right)$", "", plain, flags=re.IGNORECASE)
    plain = re.sub(r"^[lrLR](?=[A-Z])|(?<=[a-z])[LR]$", "", plain)
    return re.sub(r"^(?:bip\d*|def|org|valvebiped)[\W_]+", "", plain.strip(" _.-"), flags=re.IGNORECASE).lower()


def _has(pattern: re.Pattern[str], name: str) -> bool:
    plain = re.sub(r"^.*:", "", name)
    return bool(pattern.search(plain) or pattern.search(plain.lower()))


def _unusable(name: str) -> bool:
    plain = re.sub(r"^.*:", "", name)
    return bool(_NEVER.search(plain) or _CONTROL.search(plain))
