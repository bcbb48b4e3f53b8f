"""The engine's answers when its device answers no more; loader, pipeline and device are made up."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from core.errors.failures import GpuOutOfMemory, NoSoundModel, NoTextModel, NotFinite
from jobs.manifests.environment import BundleWeights
from jobs.params.sound import SoundParams
from pipelines.catalog.spec import BatchLimits
from pipelines.runtime import nvml
from pipelines.runtime.device_memory import memory_used
from pipelines.runtime.protocol import Interrupted, JobCancelled, JobPreempted, RawOutput, RunContext, load_raw
from pipelines.weights import hash_cache
from pipelines.weights.hash_cache import HashCache, HashedFile
from tests.support.checkpoints.specs import spec
from tests.support.gpu_worker.card import GIB, Card
from workers.engine import engine as engine_module
from workers.engine.engine import Engine, await_turn
from workers.engine.family_imports import FamilyImports
from workers.engine.residency_entry import ModelInUse
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import (
    AnyMessage,
    Begin,
    Compute,
    Computed,
    ComputedShared,
    ComputeShared,
    Failed,
    HashedFiles,
    Interrupt,
    Inventory,
    StageProgress,
    Stopped,
    Sweep,
)

GONE = RuntimeError("CUDA error: an illegal memory access was encountered")


class Sent:
    """The engine's end of the channel; what it sends is kept."""

    def __init__(self) -> None:
        self.messages: list[AnyMessage] = []

    def send(self, message: AnyMessage) -> None:
        self.messages.append(message)


class Device:
    """A loader with one model, on a device that works until `is_gone`."""

    def __init__(self) -> None:
        self.device = SimpleNamespace(name="cuda:0")
        self.is_gone = False
        self.batch = BatchLimits()
        self.writer: Any = None
        self.makers: list[Any] = []

    def memory_used(self) -> int:
        if self.is_gone:
            raise GONE
        return 1000

    def free_caches(self) -> None:
        if self.is_gone:
            raise GONE

    def weights_of(self, variant: str) -> tuple[BundleWeights, ...]:
        return (BundleWeights(bundle=variant, files={"a": "0"}),)

    def first(self, modality: str, resident: Any = ()) -> Any:
        return self.writer if modality == "text" else None

    def check_fit(self, model: str, inputs: Any) -> None:
        return

    def offered(self, modality: str, resident: Any = ()) -> list[Any]:
        return self.makers if modality == "sound" else []

    def spec(self, model: str) -> Any:
        return spec(id=model, batch={"images": self.batch.images}, quality={"fast": {"quantization": "float8"}})


class Models:
    """A residency of one model that runs `run`, beside `others` that can leave."""

    models = ()
    host_bytes = 0
    graph_bytes = 0

    def __init__(self, run: Callable[..., RawOutput], others: int = 0) -> None:
        self.pipeline = SimpleNamespace(run=run)
        self.others = others
        self.sizes: list[int] = []
        self.used: list[str] = []

    @contextmanager
    def using(
        self, model: str, before_load: Callable[[], None], job_size: int = 0, batch: int = 1, brought: int = 0
    ) -> Iterator[ModelInUse]:
        self.sizes.append(job_size)
        self.used.append(model)
        yield ModelInUse(self.pipeline, batch)

    def take_evicted(self) -> tuple[str, ...]:
        return ("other",)

    def sweep(self) -> None:
        return

    def can_make_room(self, model: str) -> bool:
        return self.others > 0

    def make_room(self, model: str) -> bool:
        self.others -= 1
        return self.others >= 0


@pytest.fixture
def device() -> Device:
    return Device()


def answer(device: Device, folder: Path, run: Callable[..., RawOutput]) -> Any:
    """Return the engine's answer to a job that `run` computes."""
    channel: Any = Sent()
    Engine(channel, device, Models(run))._handle(job(folder))  # type: ignore[arg-type]
    return channel.messages[-1]


def job(folder: Path, **more: Any) -> Compute:
    params = {"modality": "image", "prompt": "x", **more}
    return Compute(ticket="job-1", model="m", modality="image", params=params, seed=1, folder=str(folder / "raw"))


def works(*_: Any) -> RawOutput:
    return RawOutput(arrays={"0": np.zeros((2, 2, 3), np.uint8)})


def test_an_answer_says_what_is_in_memory(device: Device, tmp_path: Path) -> None:
    assert Inventory(memory_used=1000, evicted=("other",)) == answer(device, tmp_path, works).inventory


def test_a_prompt_is_enhanced_by_a_text_model_of_the_server(device: Device, tmp_path: Path) -> None:
    made: list[Any] = []

    def run(params: Any, inputs: Any, ctx: RunContext) -> RawOutput:
        made.append(params)
        return RawOutput(arrays={"0": np.zeros((2, 2, 3), np.uint8), "text": np.frombuffer(b"a red mug", np.uint8)})

    channel: Any = Sent()
    Engine(channel, device, Models(run))._handle(job(tmp_path, enhance_prompt=True))  # type: ignore[arg-type]
    assert NoTextModel.code == channel.messages[-1].error.code
    device.writer = spec(id="writer", modality="text")
    models = Models(run)
    Engine(channel, device, models)._handle(job(tmp_path, enhance_prompt=True))  # type: ignore[arg-type]
    assert (["writer", "m"], "a red mug") == (models.used, made[-1].prompt)
    assert "a red mug" == load_raw(tmp_path / "raw").metadata["revised_prompt"]
    assert ["m", "writer"] == sorted(one.bundle for one in channel.messages[-1].weights)


def film_or_sound(params: Any, inputs: Any, ctx: RunContext) -> RawOutput:
    """Twelve gray frames at 24 a second, which report as all do; and a sound of one channel, longer than they are."""
    ctx.progress(0.5, "step")
    ctx.progress(0.9, "encode")
    if isinstance(params, SoundParams):
        wave = np.linspace(-1, 1, 48_000, dtype=np.float32)
        return RawOutput(arrays={"samples": wave}, metadata={"seed": ctx.seed, "sample_rate": 48_000})
    assert not params.sound
    return RawOutput(arrays={"frames": np.full((12, 12, 8), 128, np.uint8)}, metadata={"seed": ctx.seed, "fps": 24})


@pytest.mark.contract("B10")
def test_a_silent_film_has_its_sound_made_apart(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "spec", lambda model: spec(id=model, modality="video", capabilities=["text-to-video"]))
    channel: Any = Sent()
    asked = msgspec.structs.replace(
        job(tmp_path, sound=True), modality="video", params={"modality": "video", "prompt": "x", "sound": True}
    )
    Engine(channel, device, Models(film_or_sound))._handle(asked)  # type: ignore[arg-type]
    assert NoSoundModel.code == channel.messages[-1].error.code
    bell = spec(id="bell", modality="sound", family="demo-sound", vocabulary={"bell": []})
    demo, maker = spec(id="demo", modality="sound", tier="demo"), spec(id="maker", modality="sound")
    device.makers = [bell, demo, maker]
    models = Models(film_or_sound)
    Engine(channel, device, models)._handle(asked)  # type: ignore[arg-type]
    raw = load_raw(tmp_path / "raw")
    assert ["m", "maker"] == models.used
    assert (24_000, 2) == raw.arrays["sound"].shape
    assert (-32767, -1) == (raw.arrays["sound"][0, 0], raw.arrays["sound"][-1, 1])
    assert raw.warnings[0].startswith("sound made apart: maker")
    assert ["m", "maker"] == sorted(one.bundle for one in channel.messages[-1].weights)
    reports = [(one.fraction, one.stage) for one in channel.messages if isinstance(one, StageProgress)]
    assert [(0.45, "step"), (0.81, "prepare"), (0.95, "step"), (0.99, "encode")] == [
        (round(fraction, 3), stage) for fraction, stage in reports
    ]


def test_a_film_is_silent_where_no_model_makes_its_sound(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "spec", lambda model: spec(id=model, modality="video", capabilities=["text-to-video"]))
    device.makers = [spec(id="bell", modality="sound", family="demo-sound", vocabulary={"bell": []})]
    channel: Any = Sent()
    asked = msgspec.structs.replace(
        job(tmp_path), modality="video", params={"modality": "video", "prompt": "x", "sound": True}
    )
    Engine(channel, device, Models(film_or_sound))._handle(asked)  # type: ignore[arg-type]
    raw = load_raw(tmp_path / "raw")
    assert ("sound" in raw.arrays, ("bell makes no sound of this prompt; the video is silent",)) == (
        False,
        raw.warnings,
    )


@pytest.mark.parametrize(("asked", "used"), [({}, "m"), ({"quality": "fast"}, "m+float8"), ({"quality": "ultra"}, "m")])
def test_a_preset_with_weights_of_its_own_uses_those(
    device: Device, tmp_path: Path, asked: dict[str, str], used: str
) -> None:
    channel: Any = Sent()
    models = Models(works)
    Engine(channel, device, models)._handle(job(tmp_path, **asked))  # type: ignore[arg-type]
    assert [used] == models.used
    assert [used] == [one.bundle for one in channel.messages[-1].weights]


def test_a_model_makes_what_it_does_and_says_so(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"max_prompt_chars": 10}
    monkeypatch.setattr(device, "spec", lambda model: spec(id=model, limits=limits))
    seen: list[Any] = []

    def run(params: Any, *_: Any) -> RawOutput:
        seen.append(params)
        return RawOutput(arrays={}, warnings=("its own",))

    channel: Any = Sent()
    asked = job(tmp_path, prompt="a red circle", negative_prompt="blur", quality="ultra")
    Engine(channel, device, Models(run))._handle(asked)  # type: ignore[arg-type]
    assert [("a red", None, "standard")] == [(each.prompt, each.negative_prompt, each.quality) for each in seen]
    said = (
        "m does not use `negative_prompt`; it was ignored",
        "m has no preset 'ultra'; its standard one was used",
        "m reads 10 characters of a prompt; the rest was cut off",
        "its own",
    )
    assert said == load_raw(tmp_path / "raw").warnings


def test_a_device_that_is_gone_after_a_job_is_a_fault(device: Device, tmp_path: Path) -> None:
    def run(*arguments: Any) -> RawOutput:
        device.is_gone = True
        return works()

    found = answer(device, tmp_path, run)
    assert isinstance(found, Failed)
    assert (True, "job-1", ("other",)) == (found.fatal, found.ticket, found.inventory.evicted)
    assert "illegal memory access" in found.error.message


def test_an_error_that_took_the_device_along_is_a_fault(device: Device, tmp_path: Path) -> None:
    def run(*arguments: Any) -> RawOutput:
        device.is_gone = True
        raise ValueError("an error whose words say nothing of the device")

    found = answer(device, tmp_path, run)
    assert isinstance(found, Failed)
    assert found.fatal


@pytest.mark.parametrize(
    ("error", "code", "fatal"),
    [
        (ValueError("bad"), "pipeline_failed", False),
        (RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"), "pipeline_failed", True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "pipeline_failed", True),
    ],
)
def test_an_error_is_the_jobs_or_the_devices(device, tmp_path, error, code, fatal):
    def run(*arguments):
        raise error

    found = answer(device, tmp_path, run)
    assert (code, fatal) == (found.error.code, found.fatal)


def test_a_neighbor_that_takes_memory_is_not_drift(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card.install(monkeypatch)
    monkeypatch.setattr(nvml, "process_bytes", lambda uuid: None)
    device.memory_used = lambda: memory_used("cuda:0")  # type: ignore[method-assign]
    channel: Any = Sent()
    engine = Engine(channel, device, Models(works))  # type: ignore[arg-type]
    card.allocated = GIB
    engine._handle(job(tmp_path))
    card.neighbors = 30 * GIB
    engine._handle(job(tmp_path))
    card.allocated += 3 * GIB
    engine._handle(job(tmp_path))
    assert [0, 0, 3 * GIB] == [answered.inventory.drift for answered in channel.messages]


def test_a_sweep_on_a_device_that_is_gone_is_a_fault(device: Device) -> None:
    channel: Any = Sent()
    device.is_gone = True
    Engine(channel, device, Models(works))._handle(Sweep(ticket="ord_1"))  # type: ignore[arg-type]
    assert channel.messages[0].fatal


class TestOutOfMemory:
    """A job is tried again while models leave for it."""

    def tried(self, device: Device, folder: Path, errors: list[Exception], others: int = 0) -> tuple[int, Any, Models]:
        """Return the tries of a job that meets these errors one after the other, its answer, and the models."""
        left, tries = list(errors), list[int]()

        def run(*arguments: Any) -> RawOutput:
            tries.append(1)
            if left:
                raise left.pop(0)
            return works()

        channel: Any = Sent()
        models = Models(run, others)
        Engine(channel, device, models)._handle(job(folder))  # type: ignore[arg-type]
        return len(tries), channel.messages[-1], models

    def test_cudnns_words_count_too(self, device: Device, tmp_path: Path) -> None:
        error = RuntimeError("GET was unable to find an engine to execute this computation")
        tries, found, _ = self.tried(device, tmp_path, [error])
        assert isinstance(found, Computed)
        assert (2, ("m",)) == (tries, found.inventory.out_of_memory)

    def test_one_model_leaves_after_the_other(self, device: Device, tmp_path: Path) -> None:
        tries, found, models = self.tried(device, tmp_path, [MemoryError(), MemoryError()], others=3)
        assert isinstance(found, Computed)
        assert (3, 1, ("m", "m")) == (tries, models.others, found.inventory.out_of_memory)

    def test_when_all_have_left_it_is_the_jobs_failure(self, device: Device, tmp_path: Path) -> None:
        tries, found, _ = self.tried(device, tmp_path, [MemoryError() for _ in range(9)], others=2)
        assert (3, "gpu_out_of_memory", False) == (tries, found.error.code, found.fatal)

    def test_a_model_that_is_too_large_is_not_tried_again(self, device: Device, tmp_path: Path) -> None:
        tries, found, _ = self.tried(device, tmp_path, [GpuOutOfMemory()], others=2)
        assert (1, "gpu_out_of_memory") == (tries, found.error.code)

    def test_a_film_is_not_made_again_for_its_sound(
        self, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_films = spec(id="m", modality="video", capabilities=["text-to-video"])
        monkeypatch.setattr(device, "spec", lambda model: of_films)
        device.makers = [spec(id="maker", modality="sound")]
        runs = list[str]()

        def run(params: Any, inputs: Any, ctx: RunContext) -> RawOutput:
            runs.append(type(params).__name__)
            if isinstance(params, SoundParams):
                raise MemoryError
            return film_or_sound(params, inputs, ctx)

        channel: Any = Sent()
        asked = {"modality": "video", "prompt": "x", "sound": True}
        request = msgspec.structs.replace(job(tmp_path), modality="video", params=asked)
        Engine(channel, device, Models(run, others=1))._handle(request)  # type: ignore[arg-type]
        assert ["VideoParams", *["SoundParams"] * 2] == runs
        assert GpuOutOfMemory.code == channel.messages[-1].error.code

    def test_its_size_is_known_before_it_runs(self, device: Device, tmp_path: Path) -> None:
        _, _, models = self.tried(device, tmp_path, [])
        assert [1024 * 1024] == models.sizes

    @pytest.mark.parametrize(("fails", "batches"), [(0, [8]), (2, [8, 4, 2]), (4, [8, 4, 2, 1, 8])])
    def test_batches_shrink_before_a_model_leaves(
        self, device: Device, tmp_path: Path, fails: int, batches: list[int]
    ) -> None:
        seen = list[int]()
        device.batch = BatchLimits(images=8)

        def run(params: Any, inputs: Any, ctx: RunContext) -> RawOutput:
            seen.append(ctx.batch)
            ctx.warn("has one reference")
            ctx.progress(0.0, "step")
            if len(seen) <= fails:
                raise MemoryError
            return works()

        channel: Any = Sent()
        models = Models(run, others=1)
        request = job(tmp_path)
        request.params["num_images"] = 8
        Engine(channel, device, models)._handle(request)  # type: ignore[arg-type]
        assert batches == seen
        assert {("has one reference",)} == {said.warnings for said in channel.messages[:-1]}
        assert isinstance(channel.messages[-1], Computed)
        assert (fails < 4) == bool(models.others)

    def test_a_pipeline_can_ask_for_room_and_the_stage_begins_again(self, device: Device, tmp_path: Path) -> None:
        left = list[bool]()

        def run(params: Any, inputs: Any, ctx: RunContext) -> RawOutput:
            ctx.progress(0.75, "decode")
            left.extend(ctx.make_room() for _ in range(2))
            return works()

        channel: Any = Sent()
        Engine(channel, device, Models(run, others=1))._handle(job(tmp_path))  # type: ignore[arg-type]
        *reports, found = channel.messages
        assert [True, False] == left
        assert [(0.75, "decode")] * 3 == [(one.fraction, one.stage) for one in reports]
        assert ("m", "m") == found.inventory.out_of_memory


class TestSharedRun:
    """Three jobs in one run: each has its reports, its interrupt and its answer."""

    def answer(
        self, device: Device, folder: Path, run: Callable[..., list[RawOutput]], **more: Any
    ) -> list[AnyMessage]:
        """Return what the engine sends; jobs 1 to 3 are computed by `run`, which gets their pairs and the engine."""
        channel: Any = Sent()
        models = Models(works)
        engine = Engine(channel, device, models)  # type: ignore[arg-type]
        models.pipeline.run_shared = lambda pairs: run(pairs, engine)
        jobs = tuple(
            msgspec.structs.replace(job(folder / str(number), **more), ticket=f"job-{number}", seed=number)
            for number in (1, 2, 3)
        )
        engine._handle(ComputeShared(ticket="job-1", jobs=jobs))
        return channel.messages

    def draw(self, pairs: Any, engine: Engine) -> list[RawOutput]:
        pairs[0][1].progress(0.5, "step")
        return [RawOutput(arrays={"0": np.full((2, 2, 3), ctx.seed, np.uint8)}) for _, ctx in pairs]

    def test_each_has_its_arrays_and_its_answer(self, device: Device, tmp_path: Path) -> None:
        *reports, found = self.answer(device, tmp_path, self.draw)
        assert ["job-1", "job-2", "job-3"] == [report.ticket for report in reports]
        assert isinstance(found, ComputedShared)
        assert [("job-1", Computed), ("job-2", Computed), ("job-3", Computed)] == [
            (answer.ticket, type(answer)) for answer in found.answers
        ]
        assert [["m"]] * 3 == [[one.bundle for one in answer.weights] for answer in found.answers]  # type: ignore[union-attr]
        assert 1000 == found.inventory.memory_used
        seen = [load_raw(tmp_path / str(number) / "raw").arrays["0"][0, 0, 0] for number in (1, 2, 3)]
        assert [1, 2, 3] == seen

    def test_an_interrupt_leaves_one_out(self, device: Device, tmp_path: Path) -> None:
        def run(pairs: Any, engine: Engine) -> list[RawOutput]:
            engine._interrupts["job-2"] = Interrupt(ticket="job-2")
            return self.draw(pairs, engine)

        *reports, found = self.answer(device, tmp_path, run)
        assert ["job-1", "job-3"] == [report.ticket for report in reports]
        assert isinstance(found, ComputedShared)
        assert [Computed, Stopped, Computed] == [type(answer) for answer in found.answers]
        assert [True, False, True] == [(tmp_path / str(number) / "raw").exists() for number in (1, 2, 3)]

    @pytest.mark.parametrize("is_preempted", [False, True])
    def test_it_stops_when_all_are_interrupted(self, device: Device, tmp_path: Path, is_preempted: bool) -> None:
        errors: list[type[Exception]] = []

        def run(pairs: Any, engine: Engine) -> list[RawOutput]:
            for number in (1, 2, 3):
                ticket = f"job-{number}"
                engine._interrupts[ticket] = Interrupt(ticket=ticket, preempt=is_preempted and number == 2)
            try:
                return self.draw(pairs, engine)
            except Interrupted as error:
                errors.append(type(error))
                raise

        (found,) = self.answer(device, tmp_path, run)
        assert isinstance(found, Stopped)
        assert [JobPreempted if is_preempted else JobCancelled] == errors

    def test_its_interrupts_are_forgotten(self, device: Device, tmp_path: Path) -> None:
        engines: list[Engine] = []

        def run(pairs: Any, engine: Engine) -> list[RawOutput]:
            engines.append(engine)
            engine._interrupts["job-2"] = Interrupt(ticket="job-2")
            return self.draw(pairs, engine)

        self.answer(device, tmp_path, run)
        assert {} == engines[0]._interrupts

    def test_each_is_warned_of_its_own(self, device: Device, tmp_path: Path) -> None:
        def run(pairs: Any, engine: Engine) -> list[RawOutput]:
            pairs[1][1].warn("cut off")
            return self.draw(pairs, engine)

        *reports, _ = self.answer(device, tmp_path, run, negative_prompt="blur")
        said = "m does not use `negative_prompt`; it was ignored"
        assert [(said,), (said, "cut off"), (said,)] == [report.warnings for report in reports]  # type: ignore[union-attr]
        assert (said,) == load_raw(tmp_path / "1" / "raw").warnings

    def test_it_is_tried_in_smaller_batches_of_the_memory(self, device: Device, tmp_path: Path) -> None:
        batches: list[int] = []

        def run(pairs: Any, engine: Engine) -> list[RawOutput]:
            batches.append(pairs[0][1].batch)
            if len(batches) == 1:
                raise MemoryError
            return self.draw(pairs, engine)

        *_, found = self.answer(device, tmp_path, run)
        assert isinstance(found, ComputedShared)
        assert ([3, 1], ("m",)) == (batches, found.inventory.out_of_memory)

    def test_a_palette_is_in_the_prompt(self, device: Device, tmp_path: Path) -> None:
        prompts: list[str] = []

        def run(pairs: Any, engine: Engine) -> list[RawOutput]:
            prompts.extend(params.prompt for params, _ in pairs)
            return self.draw(pairs, engine)

        self.answer(device, tmp_path, run, palette=["#FF0000"])
        assert [True] * 3 == [prompt.startswith("x") and len(prompt) > 1 for prompt in prompts]

    @pytest.mark.parametrize(
        ("error", "is_healthy", "fatal"),
        [
            (ValueError("bad"), True, False),
            (NotFinite(), True, False),
            (NotFinite(), False, True),
            (GONE, True, True),
        ],
    )
    def test_an_error_is_that_of_the_whole_run(
        self, device: Device, tmp_path: Path, error: Exception, is_healthy: bool, fatal: bool
    ) -> None:
        def run(pairs: Any, engine: Engine) -> list[RawOutput]:
            engine._residency.is_healthy = lambda model: is_healthy  # type: ignore[method-assign]
            raise error

        (found,) = self.answer(device, tmp_path, run)
        assert isinstance(found, Failed)
        assert ("job-1", fatal) == (found.ticket, found.fatal)


def test_a_second_engine_hashes_nothing_that_the_first_one_did(
    device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hash_content(file: Path) -> str:
        counted.append(file.stat().st_size)
        return "0" * 64

    def leave(status: int) -> None:
        raise SystemExit(status)

    counted: list[int] = []
    reported: list[HashedFile] = []
    monkeypatch.setattr(hash_cache, "hash_content", hash_content)
    monkeypatch.setattr(engine_module.os, "_exit", leave)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    HashCache(reported.append, clock=lambda: time.time() + 3600).sha256_of(weights)
    assert 7 == sum(counted)

    second, (ours, theirs) = HashCache(), socket.socketpair()
    engine = Engine(Channel(theirs), device, Models(works), second)  # type: ignore[arg-type]
    Channel(ours).send(HashedFiles(files=tuple(reported)))
    ours.close()
    with pytest.raises(SystemExit):
        engine._listen()
    assert "0" * 64 == second.sha256_of(weights)
    assert 7 == sum(counted)


class TestIdle:
    """What the engine does until a request comes."""

    @pytest.fixture
    def steps(self) -> list[str]:
        return []

    @pytest.fixture
    def engine(self, steps: list[str]) -> Engine:
        @contextmanager
        def idle() -> Iterator[None]:
            steps.append("idle")
            engine._requests.put(requests.pop(0))
            yield

        requests: list[Sweep | None] = [None, Sweep(ticket="ord_1")]
        parts = iter([True, True, False, True, *[False] * 9])
        residency = SimpleNamespace(copy_to_host=lambda: steps.append("copy") or next(parts))
        channel: Any = Sent()
        loader: Any = SimpleNamespace(idle=idle, memory_used=lambda: 100 * len(steps))
        families = iter([True, *[False] * 9])
        imports: Any = SimpleNamespace(import_next=lambda: next(families) and not steps.append("import"))
        engine = Engine(channel, loader, residency, imports=imports)  # type: ignore[arg-type]
        return engine

    def test_it_imports_and_copies_while_nothing_is_asked(self, engine: Engine, steps: list[str]) -> None:
        assert "ord_1" == engine._next_request().ticket
        assert ["import"] + ["copy"] * 3 + ["idle"] + ["copy"] * 2 + ["idle"] == steps

    def test_a_request_comes_before_that(self, engine: Engine, steps: list[str]) -> None:
        engine._requests.put(Sweep(ticket="ord_2"))
        assert "ord_2" == engine._next_request().ticket
        assert [] == steps

    def test_memory_of_imports_is_no_drift(self, engine: Engine) -> None:
        engine._baseline = 7
        engine._next_request()
        assert 107 == engine._baseline

    def test_a_copy_that_fails_ends_nothing(self, engine: Engine, steps: list[str]) -> None:
        def fail() -> bool:
            raise GONE

        engine._residency.copy_to_host = fail  # type: ignore[method-assign]
        assert "ord_1" == engine._next_request().ticket

    def test_an_import_that_fails_ends_nothing(self, engine: Engine) -> None:
        def fail() -> bool:
            raise GONE

        engine._imports.import_next = fail  # type: ignore[method-assign]
        assert "ord_1" == engine._next_request().ticket


class TestTurn:
    """A spare imports until it is its turn."""

    @pytest.fixture
    def ends(self) -> Iterator[tuple[Channel, Channel]]:
        """Those of the supervisor and of the engine."""
        ours, theirs = (Channel(one) for one in socket.socketpair())
        yield ours, theirs
        ours.close()
        theirs.close()

    def test_one_that_is_to_begin_imports_nothing_before(self, ends: tuple[Channel, Channel]) -> None:
        imports: Any = SimpleNamespace(import_next=lambda: pytest.fail("it imported"))
        ends[0].send(Begin())
        await_turn(ends[1], imports)

    def test_a_spare_imports_until_it_is_to_begin(self, ends: tuple[Channel, Channel]) -> None:
        def import_next() -> bool:
            done.append(os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"])
            if len(done) == 2:
                ends[0].send(Begin())
            return True

        done: list[str] = []
        await_turn(ends[1], SimpleNamespace(import_next=import_next))  # type: ignore[arg-type]
        assert ["1", "1"] == done

    def test_a_spare_ends_with_its_supervisor(self, ends: tuple[Channel, Channel]) -> None:
        ends[0].close()
        with pytest.raises(ChannelClosed):
            await_turn(ends[1], FamilyImports(()))
