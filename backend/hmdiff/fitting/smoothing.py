"""Smoothing over time stamps in seconds, without lag, gap-aware, for any frame rate.

Local quadratic regression with a Gaussian kernel in time (Cleveland 1979; Savitzky-Golay for uneven samples): it keeps
speed and acceleration, so that fast motion is not flattened as by a plain average, and it has no delay.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hmdiff.bodies.rotations import matrix_to_quaternion

MAX_GAP = 0.5
"""Seconds without a person over which nothing is smoothed or interpolated."""
DEFAULT_STRENGTH = 0.1
_REACH = 2.5


def segments(times: Tensor, valid: Tensor, max_gap: float = MAX_GAP) -> Tensor:
    """Stretch number (F,) per frame, -1 outside: the seen frames of one stretch lie at most max_gap seconds apart."""
    label = torch.full((len(times),), -1, dtype=torch.long)
    seen = torch.nonzero(valid).flatten()
    if len(seen) == 0:
        return label
    breaks = torch.cat([torch.zeros(1, dtype=torch.long), (times[seen].diff() > max_gap).long()]).cumsum(0)
    place = torch.searchsorted(seen, torch.arange(len(times)), right=True) - 1
    following = (place + 1).clamp_max(len(seen) - 1)
    bridged = (breaks[place.clamp_min(0)] == breaks[following]) & (seen[following] >= torch.arange(len(times)))
    inside = (bridged & (place >= 0)) | valid
    label[inside] = breaks[place.clamp_min(0)][inside]
    return label


def fill_rotations(rotations: Tensor, times: Tensor, valid: Tensor, max_gap: float = MAX_GAP) -> Tensor:
    """rotations (F,J,3,3): missed frames turn evenly between their neighbours in short gaps and hold elsewhere."""
    before, after, share = _neighbours(times, valid, max_gap)
    a, b = matrix_to_quaternion(rotations[before]), matrix_to_quaternion(rotations[after])
    cosine = (a * b).sum(-1, keepdim=True)
    b, cosine = torch.where(cosine < 0, -b, b), cosine.abs().clamp_max(1.0)
    angle = torch.acos(cosine)
    part = share.view(-1, 1, 1)
    sine = torch.sin(angle)
    near = sine < 1e-4
    first = torch.where(near, 1 - part, torch.sin((1 - part) * angle) / sine.clamp_min(1e-6))
    second = torch.where(near, part.expand_as(angle), torch.sin(part * angle) / sine.clamp_min(1e-6))
    filled = quaternion_to_matrix(first * a + second * b)
    return torch.where(valid.view(-1, 1, 1, 1), rotations, filled)


def fill_values(values: Tensor, times: Tensor, valid: Tensor, max_gap: float = MAX_GAP) -> Tensor:
    """values (F,D): missed frames lie on the line between their neighbours in short gaps and hold elsewhere."""
    before, after, share = _neighbours(times, valid, max_gap)
    filled = values[before] + share[:, None] * (values[after] - values[before])
    return torch.where(valid[:, None], values, filled)


def smooth_values(
    values: Tensor, times: Tensor, segment: Tensor, strength: float | Tensor, weight: Tensor | None = None
) -> Tensor:
    """values (F,D) any unit, times (F,) seconds rising, segment (F,) from ``segments``, strength: the kernel's standard
    deviation in seconds, one number or one per column; weight (F,) trust per frame. Strength 0 changes nothing.
    """
    strengths = torch.as_tensor(strength, dtype=torch.float64).expand(values.shape[1])
    result = values.clone()
    for size in strengths.unique().tolist():
        if size <= 0:
            continue
        columns = torch.nonzero(strengths == size).flatten()
        index, kernel = _operator(times, segment, size, weight)
        part = values[:, columns].double()
        smooth = (kernel[..., None] * part[index]).sum(1)
        result[:, columns] = torch.where((segment >= 0)[:, None], smooth, part).to(values.dtype)
    return result


def smooth_rotations(
    rotations: Tensor, times: Tensor, segment: Tensor, strength: float, weight: Tensor | None = None
) -> Tensor:
    """rotations (F,J,3,3), other arguments as ``smooth_values``. Quaternions are brought to the hemisphere of the frame
    in the middle of each window, so no sign flip can be averaged away."""
    if strength <= 0 or len(rotations) == 0:
        return rotations.clone()
    index, kernel = _operator(times, segment, strength, weight)
    quaternions = matrix_to_quaternion(rotations)
    result = rotations.clone()
    for start in range(0, len(rotations), 256):
        piece = slice(start, start + 256)
        window = quaternions[index[piece]]
        sign = torch.sign((window * quaternions[piece, None]).sum(-1, keepdim=True))
        sign = torch.where(sign == 0, torch.ones_like(sign), sign)
        mixed = (kernel[piece, :, None, None].to(window.dtype) * sign * window).sum(1)
        inside = (segment[piece] >= 0).view(-1, 1, 1, 1)
        result[piece] = torch.where(inside, quaternion_to_matrix(mixed), rotations[piece])
    return result


def quaternion_to_matrix(quaternion: Tensor) -> Tensor:
    """(...,4) w first, any length but zero -> (...,3,3)."""
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def _neighbours(times: Tensor, valid: Tensor, max_gap: float) -> tuple[Tensor, Tensor, Tensor]:
    seen = torch.nonzero(valid).flatten()
    if len(seen) == 0:
        own = torch.arange(len(times))
        return own, own, torch.zeros(len(times), dtype=times.dtype)
    place = torch.searchsorted(seen, torch.arange(len(times)), right=True) - 1
    before, after = seen[place.clamp_min(0)], seen[(place + 1).clamp_max(len(seen) - 1)]
    gap = times[after] - times[before]
    share = ((times - times[before]) / gap.clamp_min(1e-9)).clamp(0.0, 1.0)
    bridged = (gap <= max_gap) & (gap > 0) & (place >= 0)
    return before, after, torch.where(bridged, share, torch.zeros_like(share))


def _operator(times: Tensor, segment: Tensor, strength: float, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Frames each frame looks at (F,K) and the regression's weights on them (F,K), summing to 1."""
    clock = times.double()
    count = len(clock)
    reach = _REACH * strength
    last = torch.searchsorted(clock, clock + reach, right=True) - 1
    first = torch.searchsorted(clock, clock - reach, right=False)
    own = torch.arange(count)
    width = int(torch.maximum(last - own, own - first).max()) if count else 0
    offsets = torch.arange(-width, width + 1)
    wanted = own[:, None] + offsets
    index = wanted.clamp(0, max(count - 1, 0))
    apart = (clock[index] - clock[:, None]) / strength
    usable = (wanted == index) & (apart.abs() <= _REACH) & (segment[index] == segment[:, None])
    trust = torch.where(usable, torch.exp(-0.5 * apart.square()), 0.0)
    if weight is not None:
        trust = trust * weight.double().clamp_min(1e-3)[index]
    basis = torch.stack([torch.ones_like(apart), apart, apart.square()], -1)
    moments = torch.einsum("fk,fka,fkb->fab", trust, basis, basis)
    # The ridge on slope and bend turns the fit into a plain average where a stretch has too few frames for a parabola.
    moments = moments + torch.diag(torch.tensor([1e-9, 1e-3, 1e-3], dtype=torch.float64))
    target = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).expand(count, 3)[..., None]
    coefficient = torch.linalg.solve(moments, target).squeeze(-1)
    kernel = trust * torch.einsum("fa,fka->fk", coefficient, basis)
    return index, kernel / kernel.sum(1, keepdim=True)
