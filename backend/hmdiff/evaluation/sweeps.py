"""One setting over a range of values: each point is a method of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hmdiff_wire.errors import HmdiffError

from .methods import Method, Outcome, sampled
from .predict import fewer_hypotheses, read_meshes
from .studio import Draws, Recipe

MOST_HYPOTHESES = 25


@dataclass(frozen=True)
class Sweep:
    """title: what is varied; table: where the paper has it."""

    name: str
    title: str
    table: str
    points: tuple[Method, ...]


def _first(count: int) -> Callable[[Draws], Outcome]:
    """The first hypotheses of one draw, so that more of them are the same and more."""

    def run(draws: Draws) -> Outcome:
        base = draws.studio.base
        drawn, seconds = draws.samples(Recipe(sampler={"hypotheses": MOST_HYPOTHESES}))
        some = fewer_hypotheses(base, drawn, count)
        meshes = read_meshes(base, some.vertices)
        share = {**seconds, "sampling": seconds["sampling"] * count / MOST_HYPOTHESES}
        return Outcome(meshes, meshes.landmarks, some if count > 1 else None, seconds=share)

    return run


def _hypotheses(count: int) -> Method:
    recipe = Recipe(sampler={"hypotheses": count})
    return Method(f"N={count}", f"{count} hypotheses", _first(count), recipe=recipe)


def _steps(count: int) -> list[Method]:
    with_dat = sampled(f"{count} steps", f"{count} DDIM steps", sampler={"steps": count})
    without = {"steps": count}
    if count == 200:
        return [with_dat]
    return [
        with_dat,
        sampled(f"{count} steps, no DAT", f"{count} steps, DAT off", sampler=without, dat={"mode": "none"}),
    ]


def _k(steps: int, weights: str) -> Method:
    return sampled(f"K={steps}", f"{steps} diffusion steps", weights=weights, reference="equal_budget")


def _r(threshold: float, mode: str | None = None) -> Method:
    """mode: None is the run's own; another's target is U from the regressor."""
    name = f"r={threshold:g}" if mode is None else f"r={threshold:g}, {mode}"
    dat = {"threshold": threshold, **({} if mode is None else {"mode": mode, "target": "distribution"})}
    return sampled(name, f"DAT goes off below {threshold:g}", dat=dat)


R_VALUES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95)
WIDTHS = (1.0, 1.15, 1.25, 1.4)
STEP_COUNTS = (1, 2, 4, 6, 10, 20, 40, 200)

SWEEPS: dict[str, Sweep] = {
    one.name: one
    for one in (
        Sweep("r", "DAT's activation threshold r", "supplement Fig. 4", (
            *(_r(threshold) for threshold in R_VALUES),
            *(_r(threshold, "full") for threshold in (0.05, 0.5, 0.95)),  # dear
            sampled("off", "no DAT", dat={"mode": "none"}),
        )),
        Sweep("hypotheses", "number of hypotheses N", "supplement Fig. 2",
              tuple(_hypotheses(n) for n in (1, 2, 5, 10, MOST_HYPOTHESES))),
        Sweep("steps", "DDIM steps (200: none is skipped)", "4 and supplement 2",
              tuple(point for count in STEP_COUNTS for point in _steps(count))),
        Sweep("width", "how much wider m's errors are taken to be than the spread says", "ours alone", tuple(
            sampled(f"{factor:g} times", f"errors of m {factor:g} times as wide", sampler={"widen": factor})
            for factor in WIDTHS
        )),
        Sweep("k", "diffusion steps K in training", "supplement Fig. 2",
              (_k(50, "k50"), _k(100, "k100"), _k(200, "image"), _k(400, "k400"))),
    )
}  # fmt: skip


def choose_sweeps(names: Iterable[str]) -> list[Sweep]:
    """Sweeps by name, or ``all``. Errors: ``usage.sweep``."""
    wanted = list(names)
    for name in wanted:
        if name not in (*SWEEPS, "all"):
            known = "; ".join(f"{one.name} ({one.title})" for one in SWEEPS.values())
            raise HmdiffError("usage.sweep", f"There is no sweep called {name}.", f"Choose all, or some of: {known}.")
    return [one for one in SWEEPS.values() if "all" in wanted or one.name in wanted]
