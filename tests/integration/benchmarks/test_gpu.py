"""The script for a machine with a GPU, as far as the CPU can show: sizes are the published ones, the parts fit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import benchmarks.gpu
from benchmarks.card.cases import CASES, tiny
from benchmarks.card.compute import compute
from benchmarks.card.engine import engine
from benchmarks.card.session import MODELS
from benchmarks.card.weights import weights
from benchmarks.families.full_size import NETWORKS, materialised, on_meta, parameters
from benchmarks.gpu import NOTHING_MEASURED
from benchmarks.running.catalog import settings_in
from pipelines.catalog.loader import load_catalog

ROOT = Path(__file__).parents[3]
MISSING = {"av", "celery", "httpx", "kombu", "litestar", "minio", "psycopg", "redis", "sqlalchemy", "uvicorn"}
"""What a bare machine with a GPU does not have."""

PUBLISHED = {("z-image", "transformer"): 6.15, ("sdxl", "unet"): 2.57, ("wan22", "transformer"): 5.00}
"""Billions of parameters, as the model cards have them."""


def test_each_case_is_in_the_catalogue_and_can_be_built() -> None:
    listed = {spec.id for spec in load_catalog(MODELS).models}
    variants = {variant for case in CASES for variant in case.variants}
    assert {case.model for case in CASES} | {tiny(case).model for case in CASES} | variants == listed
    assert {case.model for case in CASES if case.modality != "speech"} == set(NETWORKS)


@pytest.mark.matrix
@pytest.mark.parametrize(("model", "part"), PUBLISHED)
def test_networks_have_the_published_sizes(model: str, part: str) -> None:
    assert PUBLISHED[model, part] == round(parameters(on_meta(NETWORKS[model][part])) / 1e9, 2)


def test_random_weights_are_finite_and_norms_scale_by_one() -> None:
    network = materialised(on_meta(lambda: nn.Sequential(nn.Linear(1000, 300), nn.LayerNorm(300))))
    linear, norm = network.state_dict()["0.weight"], network.state_dict()["1.weight"]
    assert (torch.bfloat16, "cpu") == (linear.dtype, linear.device.type)
    assert 0.019 < linear.float().std().item() < 0.021
    assert bool((norm == 1).all())
    assert bool((network.state_dict()["0.bias"] == 0).all())


@pytest.mark.long
def test_a_process_that_only_computes_measures_a_tiny_model(tmp_path: Path) -> None:
    """One stands for all, which `python -m benchmarks.gpu --tiny` goes through."""
    case = tiny(CASES[0])
    list(weights(case, tmp_path, is_tiny=True))
    settings = settings_in(tmp_path, MODELS) | {"ATELIER_CPU_THREADS": "1"}
    figures = {f.name: f.value for f in compute(case, settings, "cpu", is_tiny=True)}
    assert figures["z-image: counted in the denoiser"] > 0
    assert 0 < figures["z-image: 4, compute floor / end to end"] < 1
    assert figures["z-image: kernels in a job"] > 100
    assert figures["z-image: stage decode"] > 0
    assert 0 < figures["z-image: weights in memory"] < 0.01


@pytest.mark.long
def test_an_engine_is_measured_without_a_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.card.cases.find_spec", lambda name: None)
    case = tiny(next(case for case in CASES if case.model == "wan22"))
    list(weights(case, tmp_path, is_tiny=True))
    given = {"ATELIER_DEVICE": "cpu", "ATELIER_CPU_THREADS": "1", "ATELIER_LOG_LEVEL": "WARNING"}
    figures = {f.name: f.value for f in engine(case, given | settings_in(tmp_path, MODELS), tmp_path, 5)}
    assert figures["wan22: 5, wake rate"] > 0
    assert 0 < figures["wan22: 3, engine-busy fraction"] <= 1
    assert figures["wan22: 1, engine / bare loop, compute only"] > 0
    assert not [name for name in figures if "encodes inline" in name]


def test_without_a_gpu_the_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks.gpu, "probe", lambda: ("cpu", "a machine"))
    report = benchmarks.gpu.run()
    assert ("no GPU at hand", [NOTHING_MEASURED]) == (report.machine, report.notes)
    assert [] == report.figures


def test_a_bare_machine_has_what_the_engine_only_part_imports() -> None:
    """Python, torch, diffusers and a few small wheels: neither a codec nor a database, queue or API."""
    modules = (
        "benchmarks.gpu, benchmarks.card.engine, benchmarks.card.weights, workers.engine.engine, workers.engine.encoder"
    )
    code = f"import sys, {modules}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert not MISSING & set(loaded.split())


@pytest.mark.long
def test_the_whole_script_runs_on_a_bare_machine(tmp_path: Path) -> None:
    for name in MISSING:
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not on this machine')")
    command = [sys.executable, "-m", "benchmarks.gpu", "--tiny", "--models", "z-image,sdxl"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=290)
    table = ran.stdout.partition("== ")[2]
    assert "sdxl: 2, engine / loop that encodes inline" in table
    assert "failed" not in ran.stdout
    assert "skipped" not in ran.stdout
