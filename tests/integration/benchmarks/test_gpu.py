"""The script for a machine with a GPU, as far as the CPU can show: sizes are the published ones, the parts fit."""

from pathlib import Path

import pytest
import torch
from torch import nn

import benchmarks.gpu
from benchmarks.families.full_size import NETWORKS, materialised, on_meta, parameters, save
from benchmarks.gpu import CASES, MODELS, alone, tiny
from benchmarks.running.catalog import settings_in
from pipelines.catalog.loader import load_catalog

PUBLISHED = {("z-image", "transformer"): 6.15, ("sdxl", "unet"): 2.57, ("wan22", "transformer"): 5.00}
"""Billions of parameters, as the model cards have them."""


def test_each_case_is_in_the_catalogue_and_can_be_built() -> None:
    assert [case.model for case in CASES] == [spec.id for spec in load_catalog(MODELS).models]
    assert {case.model for case in CASES} == set(NETWORKS)


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


def test_floor_and_wake_rate_of_a_tiny_model(tmp_path: Path) -> None:
    """One stands for all, which `python -m benchmarks.gpu --tiny` goes through."""
    torch.set_num_threads(1)
    case = tiny(CASES[0])
    save(case.model, tmp_path / case.model, tiny=True)
    figures = {f.name: f.value for f in alone(case, settings_in(tmp_path, MODELS), "cpu", quick=True)}
    assert figures[f"{case.model}: counted in the denoiser"] > 0
    assert 0 < figures[f"{case.model}: 4, compute floor / end to end"] < 1
    assert figures["8 MB: wake rate"] > 0


def test_without_a_gpu_the_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks.gpu.torch.cuda, "is_available", lambda: False)
    report = benchmarks.gpu.run()
    assert "no GPU at hand" == report.machine
    assert [] == report.figures
