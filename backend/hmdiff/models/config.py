"""Every choice of HMDiff in one place: the two presets and what may be mixed between them (DESIGN 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from ..diffusion.dat import PAPER_DAT, DATConfig
from ..diffusion.schedule import Prediction, ScheduleConfig
from .denoiser import PAPER_DENOISER, DenoiserConfig
from .features import FeatureSource
from .regressor import RegressorConfig
from .spread import SpreadKind
from .temporal import TemporalConfig

WIDEN = 1.25
"""Pictures go wrong in more ways than training draws. With it, the farthest of five hypotheses encloses the truth in
86 % of the joints of 48 rendered people, where 83 % is exactly right (docs/training.md)."""


@dataclass(frozen=True)
class SamplerConfig:
    """steps: DDIM steps; eta: its randomness; hypotheses: N; u_samples: poses drawn from U;
    init: ``noise`` is N(0, I) to the letter, ``regressed`` the forward marginal around m (A4), ``pose`` Table 5's H_U:
    U's samples raised to meshes by the nearest change of m;
    temperature: scale of all sampling noise, 1 draws from the model, less keeps hypotheses nearer to their mean;
    u_reading: note A10; combine: the estimate from the samples (A17);
    exact: each step draws x0 from what h_k leaves open of it, instead of taking its mean, so that the hypotheses are as
    far apart as m is unsure at any number of steps (with the mean, few steps narrow them); centred: the noise of a
    picture's hypotheses adds up to nothing, so that their mean carries none of it, and a single one is the best guess;
    widen: how much wider m's errors are taken to be than the spread says.
    """

    steps: int = 10
    eta: float = 0.8
    hypotheses: int = 5
    u_samples: int = 25
    init: Literal["noise", "regressed", "pose"] = "regressed"
    temperature: float = 1.0
    u_reading: Literal["conditional", "marginal"] = "conditional"
    combine: Literal["mean", "medoid"] = "mean"
    exact: bool = True
    centred: bool = True
    widen: float = WIDEN


@dataclass(frozen=True)
class LossConfig:
    """Weights of the paper's five losses (4.4). reduction: ``mean`` reads the geometry terms as means (A18), ``sum`` is
    the text. geometry_until: geometry terms only for k below this share of K. weighting: min-SNR (A15) or none.
    """

    diffusion: float = 1.0
    vertex: float = 0.1
    joint: float = 1.0
    normal: float = 1e-4
    edge: float = 0.005
    reduction: Literal["mean", "sum"] = "mean"
    geometry_until: float = 1.0
    weighting: Literal["uniform", "min_snr"] = "uniform"


@dataclass(frozen=True)
class HMDiffConfig:
    """One model: what is trained (regressor, denoiser, schedule, prediction, loss) and how it is run (sampler, dat).

    process: ``diffusion``, or ``direct``, the paper's Baselines A and B (Table 3): the denoiser makes the mesh from m
    in one pass, without noise or steps. features: what the denoiser attends to (Table 4). spread: how m's errors are
    told in each picture; temporal: the look at neighbouring frames, None for a model without.
    """

    preset: str = "default"
    prediction: Prediction = "x0"
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    regressor: RegressorConfig = field(default_factory=RegressorConfig)
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    mlp_axis: Literal["vertex", "flat"] = "vertex"
    process: Literal["diffusion", "direct"] = "diffusion"
    features: FeatureSource = "image"
    spread: SpreadKind = "full"
    temporal: TemporalConfig | None = TemporalConfig()
    loss: LossConfig = field(default_factory=lambda: LossConfig(vertex=1.0, normal=0.02, edge=0.5))
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    dat: DATConfig = field(default_factory=lambda: DATConfig(target="seen"))

    def __post_init__(self) -> None:
        if self.prediction == "epsilon" and self.schedule.terminal == "zero_snr":
            raise ValueError(
                "At zero signal the noise says nothing of the mesh (A4): zero_snr needs x0 or v prediction."
            )


DEFAULT = HMDiffConfig()
PAPER = HMDiffConfig(
    preset="paper",
    prediction="epsilon",
    denoiser=PAPER_DENOISER,
    loss=LossConfig(reduction="sum"),
    spread="diagonal",
    temporal=None,
    sampler=SamplerConfig(steps=40, hypotheses=25, init="noise", exact=False, centred=False, widen=1.0),
    dat=PAPER_DAT,
)

SPEEDS: dict[str, SamplerConfig] = {
    "preview": replace(DEFAULT.sampler, steps=2, hypotheses=1),
    "default": replace(DEFAULT.sampler, steps=4, hypotheses=5),
    "quality": replace(DEFAULT.sampler, steps=10, hypotheses=25),
    "thorough": replace(DEFAULT.sampler, steps=PAPER.sampler.steps, hypotheses=PAPER.sampler.hypotheses),
}
"""What the user picks: the default model run quickly, well, with all of the paper's samples, or with its steps too.
Exact sampling needs few steps: 4 give the same spread and the same errors as 6 or 10 (measured)."""


def config_to_dict(config: HMDiffConfig) -> dict[str, Any]:
    """JSON-ready."""
    return asdict(config)


def config_from_dict(data: dict[str, Any]) -> HMDiffConfig:
    """Inverse of config_to_dict; what cards of earlier releases lack is what those models were. Raises TypeError on
    unknown names.
    """
    parts: dict[str, Callable[..., Any]] = {
        "schedule": ScheduleConfig, "regressor": RegressorConfig, "denoiser": DenoiserConfig,
        "loss": LossConfig, "sampler": SamplerConfig, "dat": DATConfig, "temporal": TemporalConfig.of,
    }  # fmt: skip
    data = {"spread": "diagonal", "temporal": None, **data}
    known = {f.name for f in fields(HMDiffConfig)}
    if unknown := set(data) - known:
        raise TypeError(f"unknown settings {sorted(unknown)}")
    made: dict[str, Any] = {
        key: value if value is None or key not in parts else parts[key](**value) for key, value in data.items()
    }
    return HMDiffConfig(**made)
