"""Film models with real diffusers code: tiny random checkpoints in the published layout, against diffusers itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import Cosmos3OmniPipeline, DiffusionPipeline, LTXImageToVideoPipeline, WanImageToVideoPipeline
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file
from torch.multiprocessing.reductions import StorageWeakRef

from core.errors.failures import GpuOutOfMemory, ModelLoadFailed, PipelineFailed
from core.errors.fields import NotThisModel, OutOfRange
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec, Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, Pipeline, RawOutput, RunContext, load_raw, save_raw
from pipelines.runtime.registry import encoder
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_videos
from tests.support.checkpoints.specs import spec
from tests.support.checkpoints.video_runs import of_pictures
from tests.support.media.videos import decode_video, planes, psnr, scene

PROMPT = "a red apple"
VIDEO = {"width": 64, "height": 96, "duration_seconds": 0.5, "num_inference_steps": 3}
FRAMES = {"wan22": 13, "ltx": 9, "wan22a14b": 13, "vace": 13, "cosmos3": 13}
STEPS = {"wan22": 4, "ltx": 8, "wan22a14b": 4, "vace": 4, "cosmos3": 4}
BOTH = ("wan22", "ltx")
STILLS = {"wan22": WanImageToVideoPipeline, "ltx": LTXImageToVideoPipeline, "wan22a14b": WanImageToVideoPipeline}
CAPABILITIES = {
    "wan22": ["text-to-video", "image-to-video", "negative-prompt"],
    "ltx": ["text-to-video", "image-to-video", "negative-prompt"],
    "wan22a14b": ["image-to-video", "first-last-frame", "negative-prompt"],
    "vace": ["text-to-video", "image-to-video", "first-last-frame", "references", "negative-prompt"],
    "cosmos3": ["text-to-video", "image-to-video", "negative-prompt", "sound"],
}


@pytest.fixture(scope="module")
def videos_dir(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights directory with one tiny checkpoint per family of `tiny_videos`."""
    folder = tmp_path_factory.mktemp("weights")
    for name in tiny_videos.BUILDERS:
        tiny_videos.save(name, folder / name)
    return folder


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    file = tmp_path_factory.mktemp("still") / "still.png"
    scene((150, 100)).save(file)
    return Inputs({"input_image": file})


@pytest.fixture(scope="module")
def ends(still: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    file = tmp_path_factory.mktemp("end") / "end.png"
    scene((90, 120), seed=5).save(file)
    return Inputs({**still.files, "last_image": file})


def model(name: str, **changes: Any) -> ModelSpec:
    entry = {
        "id": name,
        "family": "diffusers-video",
        "modality": "video",
        "source": {"path": name},
        "capabilities": CAPABILITIES[name],
        "limits": {
            "frame_step": STEPS[name],
            "max_side": 1280,
            "max_seconds": 5,
            "side_multiple": 32,
            "max_references": 3,
        },
        "defaults": {"fps": 24},
    }
    return spec(**{**entry, **changes})


def loaded(name: str, folder: Path, **changes: Any) -> Pipeline:
    entry = model(name, **changes)
    return load(entry, folder, Lock({name: lock_directory(entry, folder / name)}), "cpu")


def context(seed: int = 1, log: list[tuple[float, Stage]] | None = None) -> RunContext:
    reports = [] if log is None else log
    return RunContext(seed=seed, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)


def run(pipeline: Pipeline, inputs: Inputs | None = None, seed: int = 1, **params: Any) -> RawOutput:
    asked = VideoParams(prompt=PROMPT, **{**VIDEO, **params})
    return pipeline.run(asked, inputs or Inputs(), context(seed))


def frames(raw: RawOutput) -> np.ndarray:
    return raw.arrays["frames"]


def directly(folder: Path, inputs: Inputs | None = None, **options: Any) -> np.ndarray:
    """The frames as anybody would make them with diffusers alone, as planes."""
    return planes(images(folder, inputs, **options))


def images(
    folder: Path, inputs: Inputs | None = None, seed: int = 1, dtype: torch.dtype | None = None, **arguments: Any
) -> np.ndarray:
    """The same in RGB: float32, n x height x width x 3 in 0 to 1."""
    name = folder.name
    files = {} if inputs is None else inputs.files
    class_ = STILLS[name] if files else DiffusionPipeline
    pipe = class_.from_pretrained(folder, dtype=dtype or torch.float32)
    if dtype and name != "ltx":
        pipe.vae = type(pipe.vae).from_pretrained(folder / "vae", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    call = {"width": 64, "height": 96, "num_frames": FRAMES[name], "num_inference_steps": 3, **arguments}
    if name == "ltx":
        call["frame_rate"] = 24
    for argument, field in (("image", "input_image"), ("last_image", "last_image")):
        if field in files:
            with Image.open(files[field]) as image:
                call[argument] = ImageOps.fit(image, (call["width"], call["height"]), Image.Resampling.LANCZOS)
    generator = torch.Generator().manual_seed(seed)
    made: np.ndarray = pipe(prompt=PROMPT, generator=generator, output_type="np", **call).frames[0]
    return made


@pytest.mark.parametrize("name", BOTH)
class TestBothFamilies:
    def test_frames_from_text_equal_those_of_diffusers(self, videos_dir: Path, name: str) -> None:
        raw = run(loaded(name, videos_dir))

        assert np.uint8 == frames(raw).dtype
        assert (FRAMES[name], 144, 64) == frames(raw).shape
        assert np.array_equal(directly(videos_dir / name), frames(raw))
        assert {"seed": 1, "fps": 24, "frames": FRAMES[name]}.items() <= raw.metadata.items()

    @pytest.mark.long
    def test_from_a_still_too(self, videos_dir: Path, still: Inputs, name: str) -> None:
        raw = run(loaded(name, videos_dir), still)

        assert np.array_equal(directly(videos_dir / name, still), frames(raw))
        assert not np.array_equal(frames(run(loaded(name, videos_dir))), frames(raw))

    @pytest.mark.long
    def test_in_another_size(self, videos_dir: Path, still: Inputs, name: str) -> None:
        made = frames(run(loaded(name, videos_dir), still, width=128, height=64))

        assert np.array_equal(directly(videos_dir / name, still, width=128, height=64), made)

    @pytest.mark.long
    def test_in_bfloat16_as_on_a_gpu_wans_autoencoder_keeps_float32(
        self, videos_dir: Path, still: Inputs, name: str
    ) -> None:
        made = frames(run(loaded(name, videos_dir, dtype="bfloat16"), still))

        assert np.array_equal(directly(videos_dir / name, still, dtype=torch.bfloat16), made)
        assert not np.array_equal(directly(videos_dir / name, still), made)

    @pytest.mark.long
    def test_the_seed_decides(self, videos_dir: Path, still: Inputs, name: str) -> None:
        pipeline = loaded(name, videos_dir)
        first, again, other = (frames(run(pipeline, still, seed)) for seed in (7, 7, 2**53 - 1))

        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    @pytest.mark.long
    def test_the_same_seed_gives_the_same_bytes(self, videos_dir: Path, tmp_path: Path, name: str) -> None:
        files = []
        for number in range(2):
            folder = tmp_path / str(number)
            save_raw(run(loaded(name, videos_dir), seed=3), folder)
            output = encoder(model(name))(load_raw(folder), VideoParams(), folder).files[0]
            files.append((folder / output.path).read_bytes())

        assert files[0] == files[1]
        assert FRAMES[name] == len(decode_video(files[0], "mp4").frames)

    @pytest.mark.matrix
    def test_every_step_is_reported(self, videos_dir: Path, still: Inputs, name: str) -> None:
        log: list[tuple[float, Stage]] = []
        loaded(name, videos_dir).run(VideoParams(prompt=PROMPT, **VIDEO), still, context(log=log))

        assert [(0.0, "prepare"), (0.25, "step"), (0.5, "step"), (0.75, "decode")] == log

    @pytest.mark.long
    def test_after_a_cancel_the_next_film_is_as_ever(self, videos_dir: Path, still: Inputs, name: str) -> None:
        pipeline = loaded(name, videos_dir)
        before = frames(run(pipeline, still))
        log: list[float] = []

        def stop(part: float, stage: Stage) -> None:
            log.append(part)
            if len(log) == 3:
                raise JobCancelled

        with pytest.raises(JobCancelled):
            pipeline.run(
                VideoParams(prompt=PROMPT, **{**VIDEO, "num_inference_steps": 10}),
                still,
                RunContext(seed=1, progress=stop, warn=print),
            )

        assert 3 == len(log)
        assert np.array_equal(before, frames(run(pipeline, still)))

    @pytest.mark.long
    def test_guidance_and_negative_prompt_reach_the_model(self, videos_dir: Path, name: str) -> None:
        asked = {"guidance_scale": 7.5, "negative_prompt": "dogs"}

        raw = run(loaded(name, videos_dir), **asked)

        assert np.array_equal(directly(videos_dir / name, **asked), frames(raw))
        assert not np.array_equal(directly(videos_dir / name), frames(raw))
        assert () == raw.warnings

    def test_no_weight_is_in_memory_twice(self, videos_dir: Path, name: str) -> None:
        words, still = loaded(name, videos_dir).pipes.values()  # type: ignore[attr-defined]

        assert type(words) is not type(still)
        assert words.transformer is still.transformer
        assert words.vae is still.vae

    @pytest.mark.long
    def test_it_cannot_end_at_an_image(self, videos_dir: Path, ends: Inputs, name: str) -> None:
        with pytest.raises(NotThisModel, match="`last_image` is not supported") as caught:
            run(loaded(name, videos_dir), ends)

        assert "$.last_image" == caught.value.field

    def test_a_catalogue_that_says_it_can_is_refused(self, videos_dir: Path, name: str) -> None:
        with pytest.raises(ModelLoadFailed, match="first-last-frame"):
            loaded(name, videos_dir, capabilities=["image-to-video", "first-last-frame"])


class TestCatalogue:
    @pytest.mark.long
    def test_defaults_and_presets(self, videos_dir: Path) -> None:
        quality = {"fast": {"num_inference_steps": 2}}
        pipeline = loaded(
            "wan22", videos_dir, defaults={"num_inference_steps": 4, "guidance_scale": 1}, quality=quality
        )

        facts = [
            run(pipeline, num_inference_steps=steps, quality=word).metadata["num_inference_steps"]
            for steps, word in ((None, "standard"), (None, "fast"), (3, "fast"))
        ]

        assert [4, 2, 3] == facts

    @pytest.mark.long
    def test_a_size_and_a_duration_beyond_the_model(self, videos_dir: Path) -> None:
        limits = {"frame_step": 4, "max_side": 64, "max_seconds": 0.2, "side_multiple": 32}
        warned: list[str] = []
        quiet = RunContext(seed=1, progress=lambda part, stage: None, warn=warned.append)
        asked = {**VIDEO, "width": 128, "height": 128}

        raw = loaded("wan22", videos_dir, limits=limits).run(VideoParams(prompt=PROMPT, **asked), Inputs(), quiet)

        native = (images(videos_dir / "wan22", width=64, height=64, num_frames=5) * 255).round().astype(np.uint8)
        larger = [Image.fromarray(frame).resize((128, 128), Image.Resampling.BICUBIC) for frame in native]
        assert psnr(planes(np.stack(larger)), frames(raw)) > 45
        assert [
            "wan22 draws sides from 64 to 64; made 64x64; resized to 128x128",
            "wan22 makes 0.21 s (5 frames at 24 per second) instead of 0.5 s",
        ] == warned
        assert tuple(warned) == raw.warnings
        assert (64, 64) == (raw.metadata["made_width"], raw.metadata["made_height"])

    @pytest.mark.long
    def test_edges_that_are_too_much_are_cut_off(self, videos_dir: Path) -> None:
        limits = {"frame_step": 4, "max_side": 128, "max_seconds": 5, "side_multiple": 64}

        made = frames(run(loaded("wan22", videos_dir, limits=limits), width=64, height=96))

        whole = images(videos_dir / "wan22", width=64, height=128)
        assert np.array_equal(planes(whole[:, 16:112]), made)

    def test_only_what_the_capabilities_say(self, videos_dir: Path, still: Inputs) -> None:
        with pytest.raises(NotThisModel, match="`input_image` is not supported"):
            run(loaded("wan22", videos_dir, capabilities=["text-to-video"]), still)
        with pytest.raises(NotThisModel, match="`input_image` is required"):
            run(loaded("wan22", videos_dir, capabilities=["image-to-video"]))


CLIPS = {"frame_step": 4, "max_side": 1280, "max_seconds": 5, "side_multiple": 32, "clip_seconds": 0.21}


class TestLongerThanAClip:
    """Twelve steps of frames where the model makes four at once: 13 frames of 5, 5 and 5."""

    @pytest.mark.long
    def test_each_clip_goes_on_from_the_frame_before(self, videos_dir: Path, tmp_path: Path) -> None:
        warned: list[str] = []
        reports: list[float] = []
        ctx = RunContext(seed=1, progress=lambda part, stage: reports.append(part), warn=warned.append)

        raw = loaded("wan22", videos_dir, limits=CLIPS).run(VideoParams(prompt=PROMPT, **VIDEO), Inputs(), ctx)

        own = [images(videos_dir / "wan22", num_frames=5)]
        for seed in (2, 3):
            Image.fromarray((own[-1][-1] * 255).round().astype(np.uint8)).save(tmp_path / "last.png")
            given = Inputs({"input_image": tmp_path / "last.png"})
            own.append(images(videos_dir / "wan22", given, seed=seed, num_frames=5)[1:])
        assert np.array_equal(planes(np.concatenate(own)), frames(raw))
        assert ["wan22 makes 0.21 s at once; made 3 clips, each from the last frame of the one before"] == warned
        assert sorted(reports) == reports
        assert 3 * 4 == len(reports)

    @pytest.mark.long
    def test_it_ends_at_its_end_frame(self, videos_dir: Path, ends: Inputs, tmp_path: Path) -> None:
        made = frames(run(loaded("wan22a14b", videos_dir, limits=CLIPS), ends))

        first = images(videos_dir / "wan22a14b", Inputs({"input_image": ends.files["input_image"]}), num_frames=5)
        assert np.array_equal(planes(first), made[:5])
        assert 13 == len(made)
        free = frames(
            run(loaded("wan22a14b", videos_dir, limits=CLIPS), Inputs({"input_image": ends.files["input_image"]}))
        )
        assert np.array_equal(free[:9], made[:9])
        assert not np.array_equal(free[9:], made[9:])

    @pytest.mark.long
    def test_its_sound_is_as_long(self, videos_dir: Path) -> None:
        raw = run(loaded("cosmos3", videos_dir, limits=CLIPS), sound=True)

        assert (13, 13 * 2000) == (len(frames(raw)), len(raw.arrays["sound"]))

    @pytest.mark.long
    def test_one_clip_is_in_memory_at_once(self, videos_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[StorageWeakRef] = []
        are_gone: list[bool] = []
        pipeline: Any = loaded("wan22", videos_dir, limits=CLIPS)
        make = pipeline._clip

        def clip(*given: Any, **named: Any) -> Any:
            are_gone.append(all(one.expired() for one in made))  # type: ignore[no-untyped-call]
            one = make(*given, **named)
            made.append(StorageWeakRef(one.frames.untyped_storage()))  # type: ignore[no-untyped-call]
            return one

        monkeypatch.setattr(pipeline, "_clip", clip)
        run(pipeline)
        assert [True] * 3 == are_gone


class TestFirstAndLastFrame:
    @pytest.mark.long
    def test_both_ends_reach_a_model_that_uses_them(self, videos_dir: Path, still: Inputs, ends: Inputs) -> None:
        pipeline = loaded("wan22a14b", videos_dir)

        made = frames(run(pipeline, ends))

        assert np.array_equal(directly(videos_dir / "wan22a14b", ends), made)
        assert not np.array_equal(frames(run(pipeline, still)), made)

    def test_a_last_frame_needs_a_first(self, videos_dir: Path, ends: Inputs) -> None:
        with pytest.raises(NotThisModel, match="`input_image` is required"):
            run(loaded("wan22a14b", videos_dir), Inputs({"last_image": ends.files["last_image"]}))


GIVEN = {
    "nothing": (),
    "first": ("input_image",),
    "both ends": ("input_image", "last_image"),
    "references": ("reference_images.0", "reference_images.1"),
    "all": ("input_image", "last_image", "reference_images.0", "reference_images.1"),
}


@pytest.fixture(scope="module")
def pictures(ends: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    files = dict(ends.files)
    for number, size in enumerate(((80, 160), (160, 80))):
        files[f"reference_images.{number}"] = tmp_path_factory.mktemp("reference") / "reference.png"
        scene(size, seed=7 + number).save(files[f"reference_images.{number}"])
    return Inputs(files)


class TestVace:
    """Start and end frame and references, against diffusers' own pipeline called as VACE's guide says."""

    @pytest.mark.contract("B49", "B50")
    def test_start_end_and_references_as_diffusers_has_them(self, videos_dir: Path, pictures: Inputs) -> None:
        self.test_frames_equal_those_of_diffusers(videos_dir, pictures, GIVEN["all"])

    @pytest.mark.long
    @pytest.mark.parametrize("given", [GIVEN[name] for name in GIVEN if name != "all"])
    def test_frames_equal_those_of_diffusers(self, videos_dir: Path, pictures: Inputs, given: tuple[str, ...]) -> None:
        found = {name: Image.open(pictures.files[name]).convert("RGB") for name in given}
        references = [found.pop(name) for name in given if name.startswith("reference_images.")]
        expected = of_pictures(videos_dir / "vace", found, references)

        made = frames(run(loaded("vace", videos_dir), Inputs({name: pictures.files[name] for name in given})))

        assert (13, 144, 64) == made.shape
        assert np.array_equal(expected, made)

    @pytest.mark.long
    def test_each_picture_changes_the_film(self, videos_dir: Path, pictures: Inputs) -> None:
        pipeline = loaded("vace", videos_dir)
        made = [
            frames(run(pipeline, Inputs({name: pictures.files[name] for name in given}))).tobytes()
            for given in GIVEN.values()
        ]

        assert len(made) == len(set(made))

    @pytest.mark.long
    def test_more_references_than_the_model_takes(self, videos_dir: Path, pictures: Inputs) -> None:
        pipeline = loaded("vace", videos_dir, limits={"frame_step": 4, "max_references": 1})

        with pytest.raises(OutOfRange, match="`reference_images` must have at most 1 entries for vace"):
            run(pipeline, pictures)

    def test_its_layout_is_the_published_one(self, videos_dir: Path) -> None:
        parts = tiny_videos.components(videos_dir / "vace")
        assert ["diffusers", "WanVACETransformer3DModel"] == parts["transformer"]

    @pytest.mark.long
    def test_a_tensor_less_is_an_error(self, tmp_path: Path) -> None:
        folder = tiny_videos.save("vace", tmp_path / "vace")
        file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        del tensors["vace_blocks.0.proj_out.weight"]
        save_file(tensors, file, metadata={"format": "pt"})

        with pytest.raises(ModelLoadFailed, match=r"vace_blocks\.0\.proj_out"):
            loaded("vace", tmp_path)

    def test_a_catalogue_that_gives_references_to_others(self, videos_dir: Path) -> None:
        with pytest.raises(ModelLoadFailed, match="cannot follow references"):
            loaded("wan22", videos_dir, capabilities=["text-to-video", "references"])


class TestRefused:
    def test_a_model_that_makes_images(self, videos_dir: Path, weights_dir: Path) -> None:
        entry = spec(id="zimage", modality="video", family="diffusers-video", source={"path": "zimage"})

        with pytest.raises(ModelLoadFailed, match="ZImagePipeline is not a pipeline of this family"):
            load(entry, weights_dir, Lock({"zimage": lock_directory(entry, weights_dir / "zimage")}), "cpu")

    def test_nan_is_an_error_and_no_black_film(self, tmp_path: Path) -> None:
        folder = tiny_videos.save("ltx", tmp_path / "ltx")
        file = folder / "vae" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        tensors["decoder.conv_in.conv.weight"] *= float("nan")
        save_file(tensors, file, metadata={"format": "pt"})

        with pytest.raises(PipelineFailed, match="not finite"):
            run(loaded("ltx", tmp_path))


def test_the_layout_is_the_published_one(videos_dir: Path) -> None:
    assert {
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5TokenizerFast"],
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": [None, None],
        "vae": ["diffusers", "AutoencoderKLWan"],
    } == tiny_videos.components(videos_dir / "wan22")
    assert {"model_index.json", "scheduler", "text_encoder", "tokenizer", "transformer", "vae"} == {
        entry.name for entry in (videos_dir / "wan22").iterdir()
    }


@pytest.mark.long
@pytest.mark.parametrize("name", BOTH)
def test_a_prompt_is_read_once_for_any_number_of_films(videos_dir: Path, name: str) -> None:
    pipeline: Any = loaded(name, videos_dir)
    read: list[Any] = []
    pipeline.pipes["text-to-video"].text_encoder.register_forward_hook(lambda *anything: read.append(1))
    first = frames(run(pipeline, seed=1))
    runs = len(read)
    second = frames(run(pipeline, seed=2))

    assert runs == len(read) > 0
    assert np.array_equal(directly(videos_dir / name, seed=1), first)
    assert np.array_equal(directly(videos_dir / name, seed=2), second)


@pytest.mark.long
@pytest.mark.parametrize("name", BOTH)
def test_frames_are_the_same_with_blocks_in_host_memory(name: str, videos_dir: Path) -> None:
    whole, blocks = loaded(name, videos_dir), loaded(name, videos_dir, offload_blocks=True)

    assert np.array_equal(frames(run(whole)), frames(run(blocks)))


def test_an_aborted_video_leaves_nothing_in_wans_autoencoder(videos_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps what it has decoded for the frames that come next."""
    pipeline: Any = loaded("wan22", videos_dir)
    vae = next(iter(pipeline.pipes.values())).vae

    def run_out(*args: Any, **options: Any) -> None:
        vae._feat_map[0] = torch.zeros(1)
        raise torch.OutOfMemoryError

    monkeypatch.setattr(vae.decoder, "forward", run_out)
    with pytest.raises(GpuOutOfMemory):
        run(pipeline)

    assert all(kept is None for kept in vae._feat_map)


MAGCACHE = {"cache": "magcache", "cache_ratios": [1.0] * 12}
TAYLORSEER = {"cache": "taylorseer", "cache_interval": 3}


@pytest.mark.matrix
@pytest.mark.parametrize("preset", [MAGCACHE, TAYLORSEER], ids=["magcache", "taylorseer"])
def test_a_film_reuses_steps_and_stays_near(videos_dir: Path, preset: dict[str, Any]) -> None:
    pipeline = loaded("wan22", videos_dir, quality={"fast": preset})
    plain, reused = (run(pipeline, quality=word, num_inference_steps=12) for word in ("standard", "fast"))
    assert (None, preset["cache"]) == (plain.metadata["cache"], reused.metadata["cache"])
    assert 0 < np.abs(frames(plain).astype(int) - frames(reused)).mean() < 3


def test_two_transformers_cannot_share_the_ratios_of_one(videos_dir: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="cannot reuse steps; remove `cache`"):
        loaded("wan22a14b", videos_dir, quality={"fast": MAGCACHE})


class TestCosmos:
    """Films with sound of the same steps, against diffusers' own pipeline without its guardrail."""

    @pytest.mark.contract("E5")
    @pytest.mark.parametrize("given", [(), pytest.param(("input_image",), marks=pytest.mark.long)], ids=str)
    def test_frames_and_sound_equal_those_of_diffusers(
        self, videos_dir: Path, still: Inputs, given: tuple[str, ...]
    ) -> None:
        pipe = Cosmos3OmniPipeline.from_pretrained(
            videos_dir / "cosmos3", dtype=torch.float32, enable_safety_checker=False
        )
        pipe.set_progress_bar_config(disable=True)
        call: dict[str, Any] = {}
        if given:
            with Image.open(still.files["input_image"]) as image:
                call["image"] = ImageOps.fit(image, (64, 96), Image.Resampling.LANCZOS)
        own = pipe(
            prompt=PROMPT,
            width=64,
            height=96,
            num_frames=13,
            fps=24,
            num_inference_steps=3,
            enable_sound=True,
            generator=torch.Generator().manual_seed(1),
            output_type="np",
            **call,
        )

        raw = run(loaded("cosmos3", videos_dir), still if given else None, sound=True)

        assert np.array_equal(planes(own.video), frames(raw))
        wave = np.rint(own.sound.numpy().clip(-1, 1) * np.float32(32767)).astype(np.int16)
        samples = raw.arrays["sound"]
        assert (13 / 24 * 48_000, 2) == samples.shape
        assert np.array_equal(wave.T[: len(samples)], samples)
        assert 100 < samples.std()

    @pytest.mark.long
    def test_it_is_silent_unless_sound_is_asked_for(self, videos_dir: Path) -> None:
        assert {"frames"} == run(loaded("cosmos3", videos_dir)).arrays.keys()

    @pytest.mark.long
    def test_a_tensor_of_its_sound_less_is_an_error(self, tmp_path: Path) -> None:
        folder = tiny_videos.save("cosmos3", tmp_path / "cosmos3")
        file = folder / "sound_tokenizer" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        missing = next(name for name in tensors if name.startswith("decoder"))
        del tensors[missing]
        save_file(tensors, file, metadata={"format": "pt"})

        with pytest.raises(ModelLoadFailed, match="sound_tokenizer"):
            loaded("cosmos3", tmp_path)

    def test_a_catalogue_that_says_others_make_sound(self, videos_dir: Path) -> None:
        with pytest.raises(ModelLoadFailed, match="makes no sound"):
            loaded("wan22", videos_dir, capabilities=["text-to-video", "sound"])
