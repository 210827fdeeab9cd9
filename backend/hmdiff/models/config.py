"""Every choice of HMDiff in one place: the two presets and what may be mixed between them (DESIGN 6)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from ..diffusion.dat import PAPER_DAT, DATConfig
from ..diffusion.schedule import Prediction, ScheduleConfig
from .denoiser import PAPER_DENOISER, DenoiserConfig
from .regressor import RegressorConfig


@dataclass(frozen=True)
class SamplerConfig:
    """steps: DDIM steps; eta: its randomness; hypotheses: N; u_samples: poses drawn from U;
    init: ``noise`` is N(0, I) to the letter, ``regressed`` the forward marginal around m (A4), ``pose`` Table 5's H_U:
    U's samples raised to meshes by the nearest change of m;
    temperature: scale of all sampling noise, 1 draws from the model, less keeps hypotheses nearer to their mean;
    u_reading: note A10; combine: the estimate from the samples (A17).
    """

    steps: int = 10
    eta: float = 0.8
    hypotheses: int = 5
    u_samples: int = 25
    init: Literal["noise", "regressed", "pose"] = "regressed"
    temperature: float = 1.0
    u_reading: Literal["conditional", "marginal"] = "conditional"
    combine: Literal["mean", "medoid"] = "mean"


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
    """One model: what is trained (regressor, denoiser, schedule, prediction, loss) and how it is run (sampler, dat)."""

    preset: str = "default"
    prediction: Prediction = "x0"
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    regressor: RegressorConfig = field(default_factory=RegressorConfig)
    denoiser: DenoiserConfig = field(default_factory=DenoiserConfig)
    mlp_axis: Literal["vertex", "flat"] = "vertex"
    loss: LossConfig = field(default_factory=lambda: LossConfig(vertex=1.0, normal=0.02, edge=0.5))
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    # m and U come from the same look at the picture: taken at full trust, DAT makes the hypotheses too sure (measured).
    dat: DATConfig = field(default_factory=lambda: DATConfig(trust=0.5))

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
    sampler=SamplerConfig(steps=40, hypotheses=25, init="noise"),
    dat=PAPER_DAT,
)

SPEEDS: dict[str, SamplerConfig] = {
    "preview": replace(DEFAULT.sampler, steps=4, hypotheses=1),
    "default": replace(DEFAULT.sampler, steps=6, hypotheses=5),
    "quality": replace(DEFAULT.sampler, steps=10, hypotheses=25),
}
"""What the user picks: the default model run quickly, well, or with all of the paper's samples."""


def config_to_dict(config: HMDiffConfig) -> dict[str, Any]:
    """JSON-ready."""
    return asdict(config)


def config_from_dict(data: dict[str, Any]) -> HMDiffConfig:
    """Inverse of config_to_dict. Raises TypeError on unknown names."""
    parts: dict[str, type] = {
        "schedule": ScheduleConfig, "regressor": RegressorConfig, "denoiser": DenoiserConfig,
        "loss": LossConfig, "sampler": SamplerConfig, "dat": DATConfig,
    }  # fmt: skip
    known = {f.name for f in fields(HMDiffConfig)}
    if unknown := set(data) - known:
        raise TypeError(f"unknown settings {sorted(unknown)}")
    return HMDiffConfig(**{key: parts[key](**value) if key in parts else value for key, value in data.items()})
