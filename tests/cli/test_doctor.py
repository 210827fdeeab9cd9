"""The doctor names what is really broken, and still speaks when half of it is."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hmdiff import cli
from hmdiff.commands import doctor
from hmdiff.commands.output import Progress, clock


def test_report_of_this_machine(capsys):
    code = cli.main(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in report["checks"]}
    assert checks["numpy"]["found"] == np.__version__
    assert checks["body"]["state"] == "ok" and "vertices" in checks["body"]["found"]
    assert checks["device"]["found"].split(":")[0] in ("cpu", "cuda", "mps")
    bad = [check for check in checks.values() if check["state"] in ("missing", "broken")]
    assert report["ok"] is (not bad) and code == (1 if bad else 0)
    assert all(check["fix"] for check in bad)


def test_missing_models_are_named_with_the_way_to_get_them(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HMDIFF_CACHE", str(tmp_path))
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    check = doctor.check_detector()
    assert (check.state, check.fix) == ("missing", "hmdiff doctor --install")
    assert str(tmp_path) in check.found


def test_a_wrong_wheel_is_refused(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("HMDIFF_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "mediapipe-0.10.21.whl"
    wheel.write_bytes(b"no archive")
    assert cli.main(["doctor", "--install", str(wheel)]) == 1
    assert "is not a mediapipe 0.10.21 wheel" in capsys.readouterr().err


def test_damaged_and_missing_body(tmp_path: Path):
    assert doctor.check_body(tmp_path / "body.npz").state == "missing"
    whole = doctor.DATA / "body.npz"
    (tmp_path / "body.npz").write_bytes(whole.read_bytes()[:5000])
    check = doctor.check_body(tmp_path / "body.npz")
    assert check.state == "broken" and "body build" in check.fix


def test_weights_are_counted(tmp_path: Path):
    assert doctor.check_weights(tmp_path).state == "missing"
    (tmp_path / "a.safetensors").write_bytes(bytes(2_500_000))
    assert doctor.check_weights(tmp_path).found == "1 file, 2.5 MB"


def test_packages_missing_and_broken(tmp_path: Path, monkeypatch):
    assert doctor.check_package("no-such-distribution", "no_such_module").state == "missing"
    (tmp_path / "half.py").write_text("raise ImportError('DLL load failed')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    check = doctor.check_package("numpy", "half")
    assert check.state == "broken" and "DLL load failed" in check.found


def test_it_still_reports_where_nothing_is_installed(repo: Path, tmp_path: Path):
    """A Python that has numpy only: the report comes, names the packages and exits with 1."""
    site = Path(np.__file__).parent.parent
    for folder in [site / "numpy", *site.glob("numpy*.dist-info"), *site.glob("numpy.libs")]:
        (tmp_path / folder.name).symlink_to(folder)
    path = [tmp_path, repo / "backend", repo / "shared"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    base = Path(sys.base_prefix) / ("python.exe" if os.name == "nt" else "bin/python3")
    if not base.exists() or shutil.which(str(base)) is None:
        pytest.skip(f"no Python outside the environment at {base}")
    command = [str(base), "-S", "-m", "hmdiff.cli", "doctor", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)
    assert result.returncode == 1, result.stderr
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert checks["numpy"]["state"] == "ok"
    assert checks["torch"]["state"] == checks["av"]["state"] == "missing"
    assert checks["detector models"]["fix"]


def test_text_report_ends_with_a_verdict():
    good = doctor.Check("torch", "ok", "2.13.0")
    bad = doctor.Check("weights", "missing", "none", "Get them.")
    assert doctor.as_text([good]).endswith("Ready.")
    text = doctor.as_text([good, bad])
    assert text.endswith("Not ready: weights.") and "-> Get them." in text


def test_progress_tells_the_time_left():
    progress = Progress("Finding people", 200, io.StringIO())
    progress.update(50)
    assert progress.line(elapsed=30.0) == "Finding people [######..................] 50/200, 1:30 left"
    progress.done = 200
    assert progress.line(elapsed=120.0).endswith("200/200, 0:00 left")
    assert Progress("Reading", None, io.StringIO()).line(3661.0) == "Reading: 0, 1:01:01 so far"
    assert clock(59.9) == "0:59"


def test_progress_in_a_log_is_plain_lines_and_says_how_it_ended():
    log = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress("Posing", 10, log) as progress:
        for done in range(5):
            progress.update(done)
        raise KeyboardInterrupt
    assert log.getvalue() == "Posing: 4, stopped after 0:00\n"
