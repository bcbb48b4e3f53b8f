"""An image to a mesh with the real family: a random checkpoint in exactly the published layout, shrunken."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image, ImageDraw

from core.errors.failures import ModelLoadFailed, PipelineFailed, WeightsNotLocked
from core.errors.inputs import InputUnreadable
from jobs.params.mesh import MeshParams
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, Pipeline, RawOutput, RunContext, load_raw, save_raw
from pipelines.runtime.registry import pipeline_class
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_triposg
from tests.support.checkpoints.specs import spec

TINY = "tests.support.checkpoints.tiny_triposg:TinyTripoSG"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower on two threads, many times so while another process uses the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_triposg.save(folder / "triposg")
    return folder


@pytest.fixture
def cutout(tmp_path: Path) -> Path:
    """A red ball on transparency."""
    image = Image.new("RGBA", (96, 64), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 8, 68, 56), fill=(200, 30, 60, 255))
    image.save(tmp_path / "ball.png")
    return tmp_path / "ball.png"


def model(family: str = TINY, **changes: object) -> ModelSpec:
    defaults = {"num_inference_steps": 3}
    return spec(id="triposg", family=family, modality="3d", source={"path": "triposg"}, defaults=defaults, **changes)


def loaded(weights_dir: Path, **changes: object) -> Pipeline:
    entry = model(**changes)  # type: ignore[arg-type]
    return load(entry, weights_dir, Lock({"triposg": lock_directory(entry, weights_dir / "triposg")}), "cpu")


def run(
    pipeline: Pipeline,
    image: Path,
    seed: int = 1,
    progress: Callable[[float, Stage], None] = lambda part, stage: None,
) -> RawOutput:
    context = RunContext(seed=seed, progress=progress, warn=lambda text: None)
    return pipeline.run(MeshParams(image_path="picture"), Inputs({"image_path": image}), context)


def same(one: RawOutput, other: RawOutput) -> bool:
    return all(one.arrays[name].tobytes() == other.arrays[name].tobytes() for name in ("vertices", "faces"))


def test_an_image_becomes_a_closed_mesh_with_its_faces_outward(weights_dir: Path, cutout: Path) -> None:
    raw = run(loaded(weights_dir), cutout, seed=5)

    vertices, faces = raw.arrays["vertices"], raw.arrays["faces"]
    mesh = trimesh.Trimesh(vertices, faces, process=True)
    assert (np.float32, np.int32) == (vertices.dtype, faces.dtype)
    assert (3, 3) == (vertices.shape[1], faces.shape[1])
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert np.abs(vertices).max() <= 1
    assert np.allclose(0, mesh.bounds.mean(axis=0), atol=1e-6)
    assert {"seed": 5, "num_inference_steps": 3, "guidance_scale": 7.0} == raw.metadata
    assert () == raw.warnings


@pytest.mark.long
def test_the_seed_and_the_image_decide(weights_dir: Path, cutout: Path, tmp_path: Path) -> None:
    pipeline = loaded(weights_dir)
    blue = Image.new("RGBA", (64, 64), (0, 0, 255, 255))
    blue.putpixel((0, 0), (0, 0, 0, 0))
    blue.save(tmp_path / "blue.png")

    first = run(pipeline, cutout, seed=7)

    assert same(first, run(pipeline, cutout, seed=7))
    assert same(first, run(loaded(weights_dir), cutout, seed=7))
    assert not same(first, run(pipeline, cutout, seed=2**53 - 1))
    assert not same(first, run(pipeline, tmp_path / "blue.png", seed=7))


@pytest.mark.matrix
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_in_half_precision_too_as_on_a_gpu(weights_dir: Path, cutout: Path, dtype: str) -> None:
    exact, half = (run(loaded(weights_dir, dtype=precision), cutout) for precision in ("float32", dtype))

    volumes = [trimesh.Trimesh(raw.arrays["vertices"], raw.arrays["faces"]).volume for raw in (exact, half)]
    assert not same(exact, half)
    assert np.isclose(*volumes, rtol=0.2)


def test_progress_rises_through_every_stage(weights_dir: Path, cutout: Path) -> None:
    log: list[tuple[float, Stage]] = []

    run(loaded(weights_dir), cutout, progress=lambda part, stage: log.append((part, stage)))

    parts = [part for part, _ in log]
    assert sorted(parts) == parts
    assert len(set(parts)) >= 8
    assert (0.0, 1.0) == (parts[0], parts[-1])
    assert ["prepare", "step", "step", "decode"] == [stage for _, stage in log][:4]
    assert {"decode"} == {stage for _, stage in log[3:]}


@pytest.mark.matrix
@pytest.mark.parametrize("reports", [1, 3, 6])
def test_after_a_cancel_anywhere_the_next_mesh_is_as_ever(weights_dir: Path, cutout: Path, reports: int) -> None:
    pipeline = loaded(weights_dir)
    before = run(pipeline, cutout)
    reported: list[float] = []

    def stop(part: float, stage: Stage) -> None:
        reported.append(part)
        if len(reported) == reports:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        run(pipeline, cutout, progress=stop)

    assert reports == len(reported)
    assert same(before, run(pipeline, cutout))


def test_an_opaque_image_is_used_whole_with_a_warning(weights_dir: Path, tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "orange").save(tmp_path / "orange.png")
    warned: list[str] = []
    context = RunContext(seed=1, progress=lambda part, stage: None, warn=warned.append)

    raw = loaded(weights_dir).run(
        MeshParams(image_path="picture"), Inputs({"image_path": tmp_path / "orange.png"}), context
    )

    assert ["the image has no transparent background; all of it was taken for the object"] == warned
    assert tuple(warned) == raw.warnings


def test_a_fully_transparent_image_is_refused_before_any_step(weights_dir: Path, tmp_path: Path) -> None:
    Image.new("RGBA", (64, 48)).save(tmp_path / "nothing.png")
    log: list[Stage] = []

    with pytest.raises(InputUnreadable, match="shows no object"):
        run(loaded(weights_dir), tmp_path / "nothing.png", progress=lambda part, stage: log.append(stage))
    assert ["prepare"] == log


def test_the_arrays_travel_to_the_encoder(weights_dir: Path, cutout: Path, tmp_path: Path) -> None:
    raw = run(loaded(weights_dir), cutout)

    save_raw(raw, tmp_path / "raw")

    assert same(raw, load_raw(tmp_path / "raw"))


def test_the_family_of_the_catalogue_loads_the_same_files(weights_dir: Path) -> None:
    pipeline = loaded(weights_dir, family="triposg")

    assert pipeline_class(model("triposg")) is type(pipeline)
    assert 2048 == pipeline.sizes.tokens  # type: ignore[attr-defined]


class TestRefused:
    """Each starts from a whole copy of a checkpoint."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tiny_triposg.save(tmp_path / "triposg")

    def test_one_changed_byte(self, folder: Path) -> None:
        lock = Lock({"triposg": lock_directory(model(), folder)})
        file = folder / "vae" / "diffusion_pytorch_model.safetensors"
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)

        with pytest.raises(WeightsNotLocked, match=r"vae/diffusion_pytorch_model\.safetensors"):
            load(model(), folder.parent, lock, "cpu")

    @pytest.mark.parametrize("part", tiny_triposg.CONFIG_FILES)
    def test_a_part_that_is_not_there(self, folder: Path, part: str) -> None:
        (folder / part / tiny_triposg.CONFIG_FILES[part]).unlink()

        with pytest.raises(ModelLoadFailed, match=f"triposg: {part}"):
            loaded(folder.parent)

    def test_weights_that_compute_no_number(self, folder: Path, cutout: Path) -> None:
        tiny_triposg.change(folder, "vae", "post_quant.weight", lambda tensor: tensor * float("nan"))

        with pytest.raises(PipelineFailed, match="not finite"):
            run(loaded(folder.parent), cutout)

    def test_weights_that_find_no_shape(self, folder: Path, cutout: Path) -> None:
        tiny_triposg.change(folder, "vae", "decoder.proj_out.bias", lambda tensor: tensor + 100)

        with pytest.raises(PipelineFailed, match="no shape"):
            run(loaded(folder.parent), cutout)
