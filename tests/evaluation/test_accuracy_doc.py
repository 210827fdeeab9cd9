"""docs/accuracy.md says what docs/figures says, and calls an order by what the intervals allow."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hmdiff.evaluation import accuracy_doc, accuracy_sections, published
from hmdiff.evaluation.accuracy_doc import ABLATIONS, DOC, FIGURES, ablations, document
from hmdiff.evaluation.methods import METHODS
from hmdiff.evaluation.sweeps import SWEEPS
from hmdiff_wire.errors import HmdiffError

OURS = (82.4, 72.7, 44.5)
WORSE = (90.0, 80.0, 50.0)


def block(difference: float, low: float, high: float) -> dict[str, Any]:
    return {"difference": {"mpve_mm": difference, "ci95": {"mpve_mm": [low, high]}}}


@pytest.mark.parametrize(("page", "make"), [(DOC, document), (ABLATIONS, ablations)])
def test_the_pages_are_up_to_date(page: Path, make: Callable[[], str]):
    assert page.read_text(encoding="utf-8") == make(), "run `python -m hmdiff.evaluation.accuracy_doc`"
    assert accuracy_doc.main(["--check"]) == 0


def test_ablations_join_what_was_measured_apart(tmp_path: Path):
    folder = tmp_path / "ablations"
    folder.mkdir()
    source = sorted((FIGURES / "ablations").glob("rendered*.json"))[0]
    whole = json.loads(source.read_text(encoding="utf-8"))
    first, second = (json.loads(json.dumps(whole)) for _ in range(2))
    first["methods"] = {"default": {**whole["methods"]["default"], "mpve_mm": 111.1}}
    second["methods"] = {"default": {**whole["methods"]["default"], "mpve_mm": 222.2},
                         "single_u": {**whole["methods"]["default"], "mpve_mm": 333.3}}  # fmt: skip
    for name, result in (("rendered_1", first), ("rendered_2", second)):
        (folder / f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    page = ablations(tmp_path)
    assert "111.1 / " in page and "222.2" not in page and "333.3 / " in page
    assert "Not measured: both_features" in page and page.count(whole["command"]) == 2


def test_a_changed_figure_changes_the_page(tmp_path: Path):
    for file in FIGURES.glob("*.json"):
        shutil.copy(file, tmp_path)
    file = tmp_path / "eval_rendered.json"
    result = json.loads(file.read_text(encoding="utf-8"))
    result["methods"]["default"]["mpve_mm"] = 123.4
    file.write_text(json.dumps(result), encoding="utf-8")
    assert "123.4 / " in document(tmp_path) and document(tmp_path) != document()
    file.unlink()
    with pytest.raises(HmdiffError, match="eval_rendered.json is missing") as refused:
        document(tmp_path)
    assert "hmdiff eval rendered" in refused.value.fix


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (block(5.0, 2.0, 8.0), "agrees"),
        (block(-5.0, -8.0, -2.0), "reversed"),
        (block(1.0, -2.0, 4.0), "undecided"),
        (block(0.2, 0.1, 0.3), "no difference"),
        (block(0.0, 0.0, 0.0), "no difference"),
    ],
)
def test_orders_are_called_by_their_intervals(found: dict[str, Any], word: str):
    said = accuracy_sections._order(found, WORSE, OURS)
    assert word in said and f"{found['difference']['mpve_mm']:+.1f}" in said
    assert accuracy_sections._order(found, (None, None, None), OURS)[0] in "+-"  # a row of ours alone: no verdict


def test_published_rows_name_methods_that_exist():
    points = {point.name for sweep in SWEEPS.values() for point in sweep.points}
    rows = [row for table in published.TABLES for row in table.rows] + list(published.TABLE_S2)
    assert all(row.method in METHODS or row.method in points or not row.method for row in rows)
    for table in published.TABLES:
        assert table.ours in {row.method for row in table.rows}
        for row in table.rows:
            if row.method and row.method != table.ours:
                assert METHODS[row.method].reference == table.ours, row.method


def test_published_figures_are_those_of_the_paper(shared_dir: Path):
    """Every published number stands in the paper's text."""
    papers = [shared_dir / "papers" / f"hmdiff_{part}.txt" for part in ("paper", "supplement")]
    text = "".join(file.read_text(encoding="utf-8") for file in papers)
    numbers = set(re.findall(r"\d+\.\d", text))
    rows = [row for table in published.TABLES for row in table.rows] + [*published.TABLE_S1, *published.TABLE_S2]
    assert all(f"{value:.1f}" in numbers for row in rows for value in row.published if value is not None)
