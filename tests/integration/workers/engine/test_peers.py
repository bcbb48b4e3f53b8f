"""Films that an engine computes together with a peer process, by gloo on the CPU, on a tiny checkpoint."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed

from benchmarks.running.catalog import environment, settings_in
from core.errors.failures import ModelLoadFailed
from core.settings import read_settings
from jobs.params.video import VideoParams
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import Deadlines, Stage
from pipelines.runtime.protocol import Inputs, JobCancelled, RunContext, load_raw
from pipelines.weights.hash_cache import HashCache
from pipelines.weights.lockfile import read_lock
from tests.support.checkpoints import tiny_videos
from tests.support.checkpoints.specs import entry
from tests.support.service.processes import alive
from tests.support.wait import until
from workers.engine import peers as peers_module
from workers.engine.loaded_pipeline import LoadedPipeline
from workers.engine.model_loader import ModelLoader
from workers.engine.peers import Peers, PeersOutOfStep, SharedModel
from workers.ipc.child_process import ChildProcess, ChildProcessDied, NoListener
from workers.ipc.messages import Compute, Computed, StageProgress

pytestmark = pytest.mark.long  # `make test` has a film of two processes in acceptance/test_families.py

VIDEO = {"prompt": "a red apple", "width": 64, "height": 96, "duration_seconds": 0.5, "num_inference_steps": 3}
UNDIVIDED = VIDEO | {"width": 96, "duration_seconds": 0.375}
"""27 tokens."""
LEVELS = 1
"""Largest difference of a channel: heads are multiplied by fewer at once, and roundings may differ."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The environment of an engine with one peer, and a model for both."""
    folder = tmp_path_factory.mktemp("weights")
    tiny_videos.save("wan22", folder / "wan22")
    models = folder / "models.toml"
    models.write_text(
        entry(
            "wan22",
            family="diffusers-video",
            modality="video",
            capabilities=["text-to-video"],
            limits={"min_side": 32, "side_multiple": 32, "frame_step": 4},
            defaults={"fps": 24},
            gpus=2,
        )
    )
    peers = {"ATELIER_DEVICE": "cpu", "ATELIER_PEER_DEVICES": "cpu", "ATELIER_HOST_BUDGET": str(2**30)}
    threads = torch.get_num_threads()
    with environment(settings_in(folder, models) | peers):
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def losses() -> list[int]:
    """Ranks of peers that were lost."""
    return []


@pytest.fixture(scope="module")
def peers(settings: None, losses: list[int]) -> Iterator[Peers]:
    made = Peers(("cpu",), HashCache(), on_loss=losses.append)
    yield made
    for child in made._children:
        child.process.kill()
        child.process.wait()
    if distributed.is_initialized():
        distributed.destroy_process_group()


@pytest.fixture(scope="module")
def shared(peers: Peers) -> LoadedPipeline:
    return loaded(peers)


@pytest.fixture(scope="module")
def alone(settings: None) -> LoadedPipeline:
    return loaded(None)


def loaded(peers: Peers | None) -> LoadedPipeline:
    now = read_settings()
    lock = read_lock(now.weights_lock)
    return ModelLoader(load_catalog(now.catalog), lambda: lock, now, HashCache(), peers).load("wan22")


def run(model: LoadedPipeline, asked: dict[str, Any] = VIDEO, **context: Any) -> Any:
    ctx = RunContext(**({"seed": 1, "progress": lambda part, stage: None, "warn": print} | context))
    return model.pipeline.run(VideoParams(**asked), Inputs(), ctx)


def difference(one: Any, other: Any) -> int:
    return int(np.abs(one.arrays["frames"].astype(int) - other.arrays["frames"]).max())


def test_two_processes_make_the_frames_of_one(shared: LoadedPipeline, alone: LoadedPipeline) -> None:
    both, one = run(shared), run(alone)

    assert isinstance(shared, SharedModel)
    assert (2, 1) == (both.metadata["gpus"], one.metadata["gpus"])
    assert difference(both, one) <= LEVELS
    assert difference(run(shared, seed=2), one) > 10 * LEVELS
    assert () == shared.warnings
    assert ("is computed by 1 GPU instead of 2: see ATELIER_PEER_DEVICES",) == alone.warnings


def test_what_cannot_be_divided_is_computed_by_one(shared: LoadedPipeline, alone: LoadedPipeline) -> None:
    raw = run(shared, UNDIVIDED)

    assert 1 == raw.metadata["gpus"]
    assert "96x96 cannot be divided among 2 GPUs; one computed it" in raw.warnings
    assert 0 == difference(raw, run(alone, UNDIVIDED))


@pytest.mark.parametrize("reports", [1, 3])
def test_a_cancel_reaches_all(shared: LoadedPipeline, alone: LoadedPipeline, reports: int) -> None:
    log = list[Stage]()

    def stop(part: float, stage: Stage) -> None:
        log.append(stage)
        if len(log) == reports:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        run(shared, progress=stop)

    assert reports == len(log)
    assert difference(run(shared), run(alone)) <= LEVELS


def test_it_leaves_and_comes_back_everywhere(shared: LoadedPipeline, alone: LoadedPipeline) -> None:
    shared.offload()
    with pytest.raises(ModelLoadFailed, match="wan23"):
        shared._peers.command(peers_module.PeerCommand(model="wan23", where="device"))  # type: ignore[attr-defined]
    shared.restore()

    assert difference(run(shared), run(alone)) <= LEVELS


def test_a_run_that_one_leaves_ends_the_engine(
    shared: LoadedPipeline, peers: Peers, losses: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one: nothing can be computed together afterwards."""
    monkeypatch.setattr(peers_module, "IN_STEP_SECONDS", 0.5)

    def fail(part: float, stage: Stage) -> None:
        if stage == "step":
            raise MemoryError

    with pytest.raises(PeersOutOfStep):
        run(shared, progress=fail)

    assert [] == losses
    peers._children[0].process.kill()
    until(lambda: [1] == losses)


class TestEngine:
    """A real engine, which starts its peer itself."""

    @pytest.fixture
    def engine(self, settings: None) -> Iterator[ChildProcess]:
        child = ChildProcess("workers.engine.engine")
        yield child
        child.stop()

    def ask(self, engine: ChildProcess, folder: Path, listener: Any = None) -> Any:
        request = Compute(
            ticket="job-1",
            model="wan22",
            modality="video",
            params=VIDEO | {"modality": "video"},
            seed=1,
            folder=str(folder),
        )
        return engine.request(request, Deadlines(), listener)

    @pytest.mark.long
    def test_a_peer_that_dies_takes_the_engine_along(
        self, engine: ChildProcess, alone: LoadedPipeline, tmp_path: Path
    ) -> None:
        assert isinstance(self.ask(engine, tmp_path / "raw"), Computed)
        assert difference(run(alone), load_raw(tmp_path / "raw")) <= LEVELS
        first = engine.pid
        assert first is not None
        (peer,) = children(first)

        class Killer(NoListener):
            def report(self, report: StageProgress) -> None:
                if report.stage == "step" and alive(peer):
                    os.kill(peer, signal.SIGKILL)

        with pytest.raises(ChildProcessDied):
            self.ask(engine, tmp_path / "lost", Killer())
        assert isinstance(self.ask(engine, tmp_path / "again"), Computed)
        assert engine.pid not in (None, first)

    @pytest.mark.long
    def test_a_peer_dies_with_its_engine(self, engine: ChildProcess, tmp_path: Path) -> None:
        assert isinstance(self.ask(engine, tmp_path / "raw"), Computed)
        assert engine.pid is not None
        (peer,) = children(engine.pid)
        os.kill(engine.pid, signal.SIGKILL)
        until(lambda: not alive(peer))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]
