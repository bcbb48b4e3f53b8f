"""Background removal with rembg's real sessions: tiny networks in each one's layout, and the demo network itself."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from core.errors.failures import ModelLoadFailed, PipelineFailed, WeightsNotLocked
from jobs.params.cutout import CutoutParams
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.cutout.rembg_cutout import RembgCutout
from pipelines.cutout.sessions import session_class
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, Pipeline, RawOutput, RunContext
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_onnx
from tests.support.checkpoints.specs import spec
from workers.engine.loaded_pipeline import LoadedPipeline


def entry(name: str, **changes: Any) -> ModelSpec:
    facts = {"id": name, "family": "rembg", "modality": "remove-background", "source": {"path": name}}
    return spec(**(facts | changes))


def opened(model: ModelSpec, weights_dir: Path) -> Pipeline:
    lock = Lock(models={model.id: lock_directory(model, model.directory(weights_dir))})
    return load(model, weights_dir, lock, "cpu")


def asked(**changes: Any) -> CutoutParams:
    return CutoutParams(image_url="https://example.org/a.png", **changes)


def context(log: list[tuple[float, Stage]] | None = None, warned: list[str] | None = None) -> RunContext:
    steps: list[tuple[float, Stage]] = [] if log is None else log
    warnings_shown: list[str] = [] if warned is None else warned
    return RunContext(seed=5, progress=lambda part, stage: steps.append((part, stage)), warn=warnings_shown.append)


def inputs(folder: Path, pixels: np.ndarray) -> Inputs:
    file = folder / "input.png"
    Image.fromarray(pixels).save(file)
    return Inputs({"image_url": file})


def run(pipeline: Pipeline, given: Inputs, **changes: Any) -> RawOutput:
    return pipeline.run(asked(**changes), given, context())


@pytest.fixture
def photo(tmp_path: Path) -> Inputs:
    """Anything."""
    return inputs(tmp_path, np.random.default_rng(2).integers(0, 256, (90, 130, 3), dtype=np.uint8))


@pytest.fixture
def disc() -> np.ndarray:
    """A white disc on black, 160 x 120."""
    y, x = np.mgrid[:120, :160]
    inside = np.hypot(x - 100, y - 50) < 30
    return np.where(inside[..., None], 255, (0, 0, 0)).astype(np.uint8)


@pytest.fixture
def bright(tmp_path: Path) -> Pipeline:
    """A model to which white is foreground."""
    tiny_onnx.brightness("u2net", tmp_path / "weights" / "u2net")
    return opened(entry("u2net"), tmp_path / "weights")


@pytest.mark.matrix
@pytest.mark.parametrize("name", tiny_onnx.LAYOUTS)
class TestEverySession:
    def test_the_matte_is_that_of_rembgs_session_called_directly(
        self, name: str, tmp_path: Path, photo: Inputs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tiny_onnx.save(name, tmp_path / "weights" / name)
        monkeypatch.setenv("U2NET_HOME", str(tmp_path / "home"))
        tiny_onnx.save(name, tmp_path / "home" / "models" / name)
        directly = session_class(name)(name, onnxruntime.SessionOptions(), providers=["CPUExecutionProvider"])
        with Image.open(photo.files["image_url"]) as image:
            expected = np.asarray(directly.predict(image)[0])

        raw = run(opened(entry(name), tmp_path / "weights"), photo, mask_only=True)

        assert file.exists()
        assert expected.std() > 5
        assert all(np.array_equal(expected, raw.arrays["0"][..., channel]) for channel in range(3))

    def test_the_same_bytes_every_time_and_the_seed_is_told(self, name: str, tmp_path: Path, photo: Inputs) -> None:
        tiny_onnx.save(name, tmp_path / "weights" / name)
        first, second = (run(opened(entry(name), tmp_path / "weights"), photo) for _ in range(2))

        assert np.array_equal(first.arrays["0"], second.arrays["0"])
        assert (90, 130, 4) == first.arrays["0"].shape
        assert 5 == first.metadata["seed"]


def test_progress_rises_and_a_cancel_lands_between_the_stages(bright: Pipeline, photo: Inputs) -> None:
    log: list[tuple[float, Stage]] = []
    before = bright.run(asked(), photo, context(log)).arrays["0"]
    assert ["prepare", "step", "decode", "decode"] == [stage for _, stage in log]
    assert sorted({part for part, _ in log}) == [part for part, _ in log]

    for stop_at in range(4):
        seen: list[float] = []

        def stop(part: float, stage: Stage, seen: list[float] = seen, stop_at: int = stop_at) -> None:
            seen.append(part)
            if len(seen) > stop_at:
                raise JobCancelled

        with pytest.raises(JobCancelled):
            bright.run(asked(), photo, RunContext(seed=1, progress=stop, warn=print))
        assert stop_at + 1 == len(seen)
    assert np.array_equal(before, run(bright, photo).arrays["0"])


def test_a_cutout_keeps_the_size_and_shows_the_foreground_only(
    bright: Pipeline, tmp_path: Path, disc: np.ndarray
) -> None:
    made = run(bright, inputs(tmp_path, disc)).arrays["0"]

    assert (120, 160, 4) == made.shape
    assert (255, 255, 255, 255) == tuple(made[50, 100])
    assert (0, 0, 0, 0) == tuple(made[100, 20])
    assert 0 == made[made[..., 3] == 0].max()


def test_no_halo_of_the_background_is_left_at_the_edge(bright: Pipeline, tmp_path: Path, disc: np.ndarray) -> None:
    made = run(bright, inputs(tmp_path, disc), background_color="#FFFFFF").arrays["0"]

    assert (120, 160, 3) == made.shape
    assert 235 < made.min()


def test_a_background_color_is_put_behind_it(bright: Pipeline, tmp_path: Path, disc: np.ndarray) -> None:
    made = run(bright, inputs(tmp_path, disc), background_color="#12aB34").arrays["0"]

    assert (0x12, 0xAB, 0x34) == tuple(made[100, 20])
    assert (255, 255, 255) == tuple(made[50, 100])


def test_the_matte_alone(bright: Pipeline, tmp_path: Path, disc: np.ndarray) -> None:
    raw = run(bright, inputs(tmp_path, disc), mask_only=True)

    assert (120, 160, 3) == raw.arrays["0"].shape
    assert (255, 0) == (raw.arrays["0"][50, 100, 0], raw.arrays["0"][100, 20, 0])
    assert () == raw.warnings


def test_the_matte_has_no_background_color(bright: Pipeline, tmp_path: Path, disc: np.ndarray) -> None:
    warned: list[str] = []
    params = asked(mask_only=True, background_color="#ffffff")

    raw = bright.run(params, inputs(tmp_path, disc), context(warned=warned))

    assert "background_color" in raw.warnings[0]
    assert list(raw.warnings) == warned
    assert 0 == raw.arrays["0"][100, 20, 0]


@pytest.mark.parametrize("options", [{}, {"mask_only": True}, {"background_color": "#00ff00"}])
def test_crop_to_the_foreground(bright: Pipeline, tmp_path: Path, disc: np.ndarray, options: dict[str, Any]) -> None:
    given = inputs(tmp_path, disc)
    whole, cropped = run(bright, given, **options).arrays["0"], run(bright, given, crop=True, **options).arrays["0"]

    height, width = cropped.shape[:2]
    assert abs(height - 60) <= 4
    assert abs(width - 60) <= 4
    top, left = 50 - height // 2, 100 - width // 2
    near = [
        np.array_equal(whole[y : y + height, x : x + width], cropped)
        for y in (top - 1, top, top + 1)
        for x in (left - 1, left, left + 1)
    ]
    assert any(near)


def test_no_foreground_is_no_error_and_nothing_is_cropped(bright: Pipeline, tmp_path: Path) -> None:
    """An image that was transparent all over before: whatever the network finds, nothing is to be seen."""
    clear = np.zeros((40, 50, 4), np.uint8)
    clear[10:20, 10:20, :3] = 200
    warned: list[str] = []

    raw = bright.run(asked(crop=True), inputs(tmp_path, _half(clear)), context(warned=warned))

    assert (40, 50, 4) == raw.arrays["0"].shape
    assert "No foreground" in raw.warnings[0]
    assert list(raw.warnings) == warned
    assert 0.0 == raw.metadata["foreground"]


def _half(clear: np.ndarray) -> np.ndarray:
    """With something faint in it, so that the matte is not the same everywhere."""
    clear[10:20, 10:20, 3] = 60
    return clear


def test_what_was_transparent_stays_transparent(bright: Pipeline, tmp_path: Path, disc: np.ndarray) -> None:
    seen = np.dstack([disc, np.full(disc.shape[:2], 255, np.uint8)])
    seen[:, 100:, 3] = 0

    made = run(bright, inputs(tmp_path, seen)).arrays["0"]

    assert 0 == made[:, 100:, 3].max()
    assert 255 == made[50, 90, 3]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (257, 3)])
def test_odd_sizes_come_back_as_they_are(bright: Pipeline, tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    if size == (1, 1):
        with pytest.raises(PipelineFailed):
            run(bright, inputs(tmp_path, pixels))
        return
    assert (*size, 4) == run(bright, inputs(tmp_path, pixels)).arrays["0"].shape


def test_a_network_that_computes_nonsense_fails_the_job(tmp_path: Path, photo: Inputs) -> None:
    tiny_onnx.save("isnet-general-use", tmp_path / "weights" / "isnet-general-use", np.full((1, 3, 1, 1), np.nan))

    with pytest.raises(PipelineFailed, match="not finite"):
        run(opened(entry("isnet-general-use"), tmp_path / "weights"), photo)


class TestLoading:
    def test_a_variant_names_the_session_of_a_model_with_another_id(self, tmp_path: Path, photo: Inputs) -> None:
        file = tiny_onnx.save("u2net", tmp_path / "ours")
        file.rename(file.with_name("any-name.onnx"))

        raw = run(opened(entry("ours", variant="u2net"), tmp_path), photo)

        assert (90, 130, 4) == raw.arrays["0"].shape

    @pytest.mark.parametrize("name", ["bria-rmbg", "atlascloud", "nonsense"])
    def test_a_session_that_is_refused(self, tmp_path: Path, name: str) -> None:
        tiny_onnx.save("u2net", tmp_path / name)

        with pytest.raises(ModelLoadFailed, match=f"{name}: .*{name}"):
            opened(entry(name), tmp_path)

    @pytest.mark.parametrize("names", [(), ("a.onnx", "b.onnx")])
    def test_one_network_is_wanted(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        folder = tmp_path / "u2net"
        for name in names:
            tiny_onnx.save("u2net", folder).rename(folder / name)
        folder.mkdir(exist_ok=True)
        (folder / "README").write_text("nothing here")

        with pytest.raises(ModelLoadFailed, match=r"one \.onnx"):
            opened(entry("u2net"), tmp_path)

    def test_a_file_that_is_not_the_locked_one_is_never_parsed(self, tmp_path: Path) -> None:
        model, file = entry("u2net"), tiny_onnx.save("u2net", tmp_path / "u2net")
        lock = Lock(models={"u2net": lock_directory(model, file.parent)})
        changed = bytearray(file.read_bytes())
        changed[-1] ^= 1
        file.write_bytes(changed)

        with pytest.raises(WeightsNotLocked, match=r"u2net\.onnx"):
            load(model, tmp_path, lock, "cpu")

    def test_a_file_that_is_no_network(self, tmp_path: Path) -> None:
        (tmp_path / "u2net").mkdir()
        (tmp_path / "u2net" / "u2net.onnx").write_bytes(b"nonsense")

        with pytest.raises(ModelLoadFailed, match="u2net could not be loaded"):
            opened(entry("u2net"), tmp_path)


def test_on_a_gpu_without_its_provider_the_facts_say_so(tmp_path: Path) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has the CUDA provider")
    tiny_onnx.save("u2net", tmp_path)
    for device, said in (("cuda:0", ("computes on the CPU",)), ("cpu", ())):
        remover = LoadedPipeline(RembgCutout(entry("u2net"), tmp_path, device), None, 0)
        assert said == tuple(text.partition(":")[0] for text in remover.warnings)
