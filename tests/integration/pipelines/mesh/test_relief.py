"""The demo of 3D: an image on disk to a mesh file that is read back."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from core.errors.inputs import InputUnreadable
from jobs.params.mesh import MeshParams
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext, load_raw, save_raw
from pipelines.runtime.registry import encoder
from pipelines.weights.lockfile import read_lock
from tests.support.media.silhouettes import DRAWN, save_cutout

pytestmark = pytest.mark.usefixtures("small_previews")

SPEC = load_catalog().get("demo-relief")


def run(image: Path, log: list[tuple[float, Stage]] | None = None, **params: Any) -> RawOutput:
    reports = [] if log is None else log
    context = RunContext(seed=4, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)
    pipeline = load(SPEC, Path(), read_lock(), "cpu")
    return pipeline.run(MeshParams(image_path="picture", **params), Inputs({"image_path": image}), context)


def test_it_is_the_demo_and_the_last_of_its_modality() -> None:
    assert "demo" == SPEC.tier
    assert "demo-relief" == load_catalog().of("3d")[-1].id


@pytest.mark.parametrize("name", DRAWN)
def test_a_cutout_becomes_a_closed_textured_mesh(tmp_path: Path, name: str) -> None:
    raw = run(save_cutout(name, tmp_path / "cutout.png"), max_faces=10_000)
    mesh = trimesh.Trimesh(raw.arrays["vertices"], raw.arrays["faces"], process=True)

    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert len(mesh.faces) <= 10_000
    assert (np.uint8, 3) == (raw.arrays["texture"].dtype, raw.arrays["texture"].shape[2])
    assert (len(raw.arrays["vertices"]), 2) == raw.arrays["uv"].shape
    assert {"seed": 4} == raw.metadata
    assert () == raw.warnings


def test_progress_rises(tmp_path: Path) -> None:
    log: list[tuple[float, Stage]] = []
    run(save_cutout("mug", tmp_path / "cutout.png"), log, max_faces=5000)

    assert len({part for part, _ in log}) >= 3
    assert sorted(log) == log
    assert (0.0, "prepare") == log[0]


@pytest.mark.parametrize("reports", [1, 2, 3])
def test_a_cancel_lands_at_the_next_report(tmp_path: Path, reports: int) -> None:
    log: list[float] = []

    def stop(part: float, stage: Stage) -> None:
        log.append(part)
        if len(log) == reports:
            raise JobCancelled

    pipeline = load(SPEC, Path(), read_lock(), "cpu")
    inputs = Inputs({"image_path": save_cutout("box", tmp_path / "cutout.png")})
    with pytest.raises(JobCancelled):
        pipeline.run(
            MeshParams(image_path="picture", max_faces=5000), inputs, RunContext(seed=1, progress=stop, warn=print)
        )
    assert reports == len(log)


@pytest.mark.parametrize("pixel", [(0, 0, 0, 0), (250, 10, 10, 0)])
def test_a_fully_transparent_image_is_refused(tmp_path: Path, pixel: tuple[int, ...]) -> None:
    Image.new("RGBA", (50, 70), pixel).save(tmp_path / "clear.png")

    with pytest.raises(InputUnreadable, match="shows no object") as caught:
        run(tmp_path / "clear.png")
    assert "$.image_path" == caught.value.field


def test_the_same_image_gives_the_same_mesh(tmp_path: Path) -> None:
    image = save_cutout("lamp", tmp_path / "cutout.png")
    one, other = run(image, max_faces=5000), run(image, max_faces=5000)

    assert all(one.arrays[name].tobytes() == other.arrays[name].tobytes() for name in one.arrays)


@pytest.mark.long
def test_nothing_of_it_imports_torch() -> None:
    code = "import pipelines.mesh.relief, pipelines.mesh.encode, sys; sys.exit('torch' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


@pytest.mark.matrix
@pytest.mark.contract("C47")
@pytest.mark.parametrize("name", DRAWN)
def test_its_glb_is_closed_and_textured(tmp_path: Path, name: str) -> None:
    raw = run(save_cutout(name, tmp_path / "cutout.png"), max_faces=8000)
    save_raw(raw, tmp_path / "raw")
    params = MeshParams(image_path="picture", mesh_save_name="thing")
    outputs = encoder(SPEC)(load_raw(tmp_path / "raw"), params, tmp_path)
    loaded = trimesh.load(tmp_path / "0.glb", force="mesh")

    assert ["model/gltf-binary", "image/png"] == [output.media_type for output in outputs.files]
    assert "thing.glb" == outputs.files[0].name
    assert () == outputs.warnings
    assert loaded.is_watertight
    assert loaded.volume > 0
    assert loaded.visual.material.baseColorTexture.size == raw.arrays["texture"].shape[1::-1]
