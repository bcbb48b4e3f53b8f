"""Residency: a state machine of everything that can happen, and each rule by example."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.errors.failures import GpuOutOfMemory
from workers.engine.memory_limits import MemoryLimits
from workers.engine.residency import Residency

SIZES = {"small": 10, "half": 50, "large": 80, "whole": 100, "fixed": 30, "giant": 130}
VARIANT = "half+float8"
"""Bytes of each model; `fixed` cannot be offloaded, and `giant` is larger than the device."""
CARD = 140
"""Bytes of the device, of which models may take 100."""
NAMES = st.sampled_from(sorted(SIZES))


class Memory:
    """A device and a host that count their bytes; the models are `SIZES`."""

    def __init__(self) -> None:
        self.device = 0
        self.host = 0
        self.host_is_full = False
        self.loads = list[str]()
        self.more = 0
        self.neighbors = 0
        self.peak = 0
        self.is_right = self.is_finite = True
        self.estimates = dict(SIZES)

    def load(self, model_id: str) -> "Model":
        self.loads.append(model_id)
        return Model(self, (SIZES | {VARIANT: 25})[model_id], movable=model_id != "fixed")

    def estimate(self, model_id: str) -> int:
        return (self.estimates | {VARIANT: 25})[model_id]

    def memory_used(self) -> int:
        return self.device + self.more

    def memory_free(self) -> int:
        return CARD - self.device - self.more - self.neighbors

    def compute(self, size: int) -> None:
        """Take and give back so much beside the weights, or run out of it."""
        self.peak = max(self.peak, self.device + min(size, self.memory_free()))
        if size > self.memory_free():
            raise MemoryError

    def reset_peak(self) -> int:
        self.peak = self.device
        return self.device

    def read_peak(self) -> int:
        return self.peak

    def free_caches(self) -> None:
        pass

    def computes_right(self) -> bool:
        return self.is_right


class Model:
    """A model that takes device memory until it is offloaded, or collected."""

    def __init__(self, memory: Memory, size: int, *, movable: bool) -> None:
        self.pipeline: Any = object()
        self.size = size
        self.bytes = size if movable else 0
        self.warnings: tuple[str, ...] = ()
        self.graph_bytes = 0
        self.host_bytes, self.is_offloaded = 0, False
        self._memory = memory
        memory.device += size

    @property
    def has_master(self) -> bool:
        return 0 < self.bytes == self.host_bytes

    def copy_chunk(self) -> bool:
        return self._copy(min(10, self.bytes - self.host_bytes))

    def _copy(self, size: int) -> bool:
        if self._memory.host_is_full:
            return False
        self.host_bytes += size
        self._memory.host += size
        return True

    def make_graph(self, size: int) -> None:
        """Keep so much for CUDA graphs; the device says that it is free."""
        self.graph_bytes += size

    def free_graphs(self) -> None:
        self.graph_bytes = 0

    def offload(self) -> None:
        assert self.bytes
        assert not self.is_offloaded
        self.free_graphs()
        if not self.has_master and not self._copy(self.bytes - self.host_bytes):
            raise MemoryError
        self.is_offloaded = True
        self._memory.device -= self.size

    def restore(self) -> None:
        assert self.is_offloaded
        self.is_offloaded = False
        self._memory.device += self.size

    def drop(self) -> None:
        self._memory.host -= self.host_bytes
        self.host_bytes = 0

    def close(self) -> None:
        self.drop()

    def is_finite(self) -> bool:
        return self._memory.is_finite

    def __del__(self) -> None:
        self._memory.device -= 0 if self.is_offloaded else self.size


def residency(
    memory: Memory, clock: Callable[[], float] = lambda: 0.0, device: int = 100, host: int = 120, **limits: float
) -> Residency:
    return Residency(memory, MemoryLimits(device=device, host=host, **limits), clock)


class Demand(RuleBasedStateMachine):
    """Jobs, preloads, unloads and time in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.memory = Memory()
        self.residency = residency(self.memory, lambda: self.now, idle_unload=10.0, idle_drop=30.0)
        self.using: list[tuple[str, Any]] = []

    @property
    def placed(self) -> dict[str, str]:
        return {model.id: model.where for model in self.residency.models}

    @property
    def pinned(self) -> set[str]:
        return {model.id for model in self.residency.models if model.pinned}

    @rule(name=NAMES)
    def begin(self, name: str) -> None:
        """Let a job use its model, or learn that it does not fit; models in use or pinned stay."""
        stay = self.pinned | {one for one, _ in self.using}
        block = self.residency.using(name)
        try:
            block.__enter__()
        except GpuOutOfMemory:
            assert SIZES[name] + sum(SIZES[one] for one in stay - {name}) > 100
        else:
            self.using.append((name, block))
        assert all("device" == self.placed[one] for one in stay)

    @rule(names=st.lists(NAMES, min_size=1, max_size=8))
    def jobs(self, names: list[str]) -> None:
        """Run some jobs, one after the other."""
        for name in names:
            before = len(self.using)
            self.begin(name)
            if len(self.using) > before:
                self.end(last=True)

    @precondition(lambda self: self.using)
    @rule(last=st.booleans())
    def end(self, last: bool) -> None:
        _, block = self.using.pop(-1 if last else 0)
        block.__exit__(None, None, None)

    @rule(name=NAMES, pin=st.booleans())
    def preload(self, name: str, pin: bool) -> None:
        try:
            self.residency.preload(name, pin=pin)
        except GpuOutOfMemory:
            assert name not in self.pinned
        else:
            assert "device" == self.placed[name]

    @rule(name=st.one_of(st.none(), NAMES))
    def unload(self, name: str | None) -> None:
        self.residency.unload(name)
        gone = [one for one in self.placed if name in (None, one) and one not in {user for user, _ in self.using}]
        assert all("host" == self.placed[one] for one in gone)
        assert not self.pinned & set(gone)

    @rule(name=NAMES)
    def release(self, name: str) -> None:
        before = self.placed.get(name)
        self.residency.release(name)
        if name in self.pinned or name in {user for user, _ in self.using}:
            assert before == self.placed[name]

    @rule(name=NAMES)
    def run_out_of_memory(self, name: str) -> None:
        others = {one for one, where in self.placed.items() if where == "device"} - {name} - self.pinned
        others -= {user for user, _ in self.using}
        assert bool(others) == self.residency.can_make_room(name) == self.residency.make_room(name)
        assert max(0, len(others) - 1) == sum(self.placed.get(one) == "device" for one in others)

    @rule(seconds=st.sampled_from([1.0, 9.0, 25.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.residency.sweep()

    @rule(times=st.integers(1, 20))
    def be_idle(self, times: int) -> None:
        placed = self.placed
        for _ in range(times):
            self.residency.copy_to_host()
        assert placed == self.placed

    @rule(full=st.booleans())
    def fill_host(self, full: bool) -> None:
        self.memory.host_is_full = full

    @invariant()
    def the_budgets_hold(self) -> None:
        assert self.memory.device <= 100
        assert self.memory.host <= 120

    @invariant()
    def nothing_is_in_memory_that_is_not_listed(self) -> None:
        assert sum(SIZES[one] for one, where in self.placed.items() if where == "device") == self.memory.device
        assert self.residency.host_bytes == self.memory.host

    @invariant()
    def what_is_used_or_pinned_is_on_the_device(self) -> None:
        for name in self.pinned | {name for name, _ in self.using}:
            assert "device" == self.placed[name]

    def teardown(self) -> None:
        for _, block in self.using:
            block.__exit__(None, None, None)
        self.residency.unload()
        self.now += 100
        self.residency.sweep()
        assert (0, 0) == (self.memory.device, self.memory.host)


TestDemand = Demand.TestCase
TestDemand.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def use(models: Residency, name: str) -> None:
    with models.using(name):
        pass


def placed(models: Residency) -> dict[str, str]:
    return {model.id: model.where for model in models.models}


def test_the_least_recently_used_leaves_first() -> None:
    memory, now = Memory(), [0.0]
    models = residency(memory, lambda: now[0])
    for name in ("small", "half", "small", "large"):
        now[0] += 1
        use(models, name)

    assert {"small": "device", "half": "host", "large": "device"} == placed(models)
    assert ("half",) == models.take_evicted()
    models.unload("large")
    assert () == models.take_evicted()  # it made room for no other model


def test_a_model_on_the_host_is_not_loaded_again() -> None:
    memory = Memory()
    models = residency(memory, host=150)
    for name in ("large", "half", "large"):
        use(models, name)

    assert ["large", "half"] == memory.loads
    assert {"large": "device", "half": "host"} == placed(models)


def test_the_master_copy_is_made_in_idle_time() -> None:
    memory = Memory()
    models = residency(memory, host=120)
    use(models, "half")
    sizes = [memory.host]
    while models.copy_to_host():
        sizes.append(memory.host)
    assert [0, 10, 20, 30, 40, 50] == sizes
    memory.host_is_full = True  # nothing more can be copied, and need not be
    use(models, "large")

    assert {"half": "host", "large": "device"} == placed(models)


def test_no_copy_goes_for_one_of_idle_time() -> None:
    memory = Memory()
    models = residency(memory, host=50)
    for name in ("half", "large"):
        use(models, name)
    assert {"half": "host", "large": "device"} == placed(models)
    assert not models.copy_to_host()
    assert {"half": "host", "large": "device"} == placed(models)


def test_the_model_used_last_is_copied_first() -> None:
    memory, now = Memory(), [0.0]
    models = residency(memory, lambda: now[0])
    for now[0], name in enumerate(("small", "half")):
        use(models, name)
    assert models.copy_to_host()
    copied = {entry.id: entry.loaded.host_bytes for entry in models._entries.values()}
    assert {"small": 0, "half": 10} == copied


def test_without_host_memory_that_is_ready_a_model_is_dropped() -> None:
    memory = Memory()
    models = residency(memory, host=120)
    use(models, "half")
    memory.host_is_full = True
    assert not models.copy_to_host()
    use(models, "large")
    assert {"large": "device"} == placed(models)


def test_a_copy_larger_than_the_budget_is_dropped() -> None:
    memory = Memory()
    memory.estimates["half"] = 20
    models = residency(memory, host=40)
    use(models, "half")

    assert {"half": "device"} == placed(models)
    assert 0 == memory.host


def test_a_model_that_cannot_be_offloaded_is_loaded_again() -> None:
    memory = Memory()
    models = residency(memory)
    for name in ("fixed", "large", "fixed"):
        use(models, name)

    assert ["fixed", "large", "fixed"] == memory.loads


def test_without_a_host_budget_a_model_is_dropped() -> None:
    memory = Memory()
    models = residency(memory, host=0)
    for name in ("large", "half"):
        use(models, name)

    assert {"half": "device"} == placed(models)


def test_an_idle_model_is_offloaded_and_then_dropped() -> None:
    memory, now = Memory(), [0.0]
    models = residency(memory, lambda: now[0], idle_unload=10.0, idle_drop=30.0)
    use(models, "half")
    seen = []
    for now[0] in (9.0, 10.0, 29.0, 30.0):
        models.sweep()
        seen.append(placed(models).get("half"))

    assert ["device", "host", "host", None] == seen
    assert (0, 0) == (memory.device, memory.host)


def test_a_pinned_model_stays_until_it_is_unloaded() -> None:
    memory, now = Memory(), [0.0]
    models = residency(memory, lambda: now[0], idle_unload=10.0)
    models.preload("half", pin=True)
    now[0] = 100.0
    models.sweep()
    models.release("half")
    assert not models.make_room("small")
    assert {"half": "device"} == placed(models)

    with pytest.raises(GpuOutOfMemory, match=r"large takes 0\.0 GB"):
        use(models, "large")
    models.unload("half")
    use(models, "large")
    assert {"half": "host", "large": "device"} == placed(models)


@pytest.mark.contract("F20")
def test_a_model_larger_than_the_device_is_refused() -> None:
    memory = Memory()
    memory.estimates["giant"] = 20
    models = residency(memory)
    use(models, "small")

    with pytest.raises(GpuOutOfMemory):
        use(models, "giant")

    assert {"small": "device"} == placed(models)
    assert 10 == memory.device


def test_wrong_results_or_weights_are_not_healthy() -> None:
    memory = Memory()
    models = residency(memory)
    use(models, "small")
    assert models.is_healthy("small")
    memory.is_finite = False
    assert not models.is_healthy("small")
    memory.is_finite, memory.is_right = True, False
    assert not models.is_healthy("small")


@pytest.mark.contract("F20")
def test_room_is_made_for_the_measured_size() -> None:
    memory = Memory()
    memory.estimates["large"] = 0
    models = residency(memory, host=0)
    for name in ("large", "half"):
        use(models, name)
    most = []
    memory.free_caches = lambda: most.append(memory.device)  # type: ignore[method-assign]
    use(models, "large")

    assert [0] == most


def test_no_model_is_evicted_for_one_that_cannot_fit() -> None:
    memory = Memory()
    models = residency(memory)
    for _ in range(2):  # the second time its size is known
        with pytest.raises(GpuOutOfMemory):
            use(models, "giant")
        use(models, "small")

    assert ["giant", "small"] == memory.loads
    assert {"small": "device"} == placed(models)


@pytest.mark.long
def test_a_refused_model_is_freed_with_the_caches() -> None:
    """Pipelines are full of cycles: only a collection frees them."""
    memory = Memory()
    memory.estimates["giant"] = 20
    make, seen = memory.load, list[int]()

    def load(model_id: str) -> Model:
        made = make(model_id)
        made.pipeline = made
        return made

    def free() -> None:
        gc.collect()
        seen.append(memory.device)

    memory.load, memory.free_caches = load, free  # type: ignore[method-assign]
    with pytest.raises(GpuOutOfMemory):
        use(residency(memory), "giant")

    assert [0] == seen


@pytest.mark.contract("F20")
def test_memory_of_the_first_use_counts_for_the_model() -> None:
    memory = Memory()
    models = residency(memory)
    for _ in range(2):
        with models.using("fixed"):
            memory.more += 7

    assert [37] == [model.bytes for model in models.models]


def test_an_error_before_the_first_use_is_raised_as_it_is() -> None:
    def fail() -> int:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    memory = Memory()
    models = residency(memory)
    for name in ("small", "fixed"):
        models.preload(name, pin=False)
    free, memory.memory_free = memory.memory_free, fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="illegal memory access"):
        use(models, "fixed")

    memory.memory_free = free  # type: ignore[method-assign]
    with models.using("fixed"):
        memory.more += 7
    assert [10, 37] == [model.bytes for model in models.models]


def test_warnings_of_a_model_are_those_of_now() -> None:
    models = residency(Memory())
    with models.using("small"):
        assert () == models.models[0].warnings
        models._entries["small"].loaded.warnings = ("computes on the CPU: ...",)  # type: ignore[misc]
    assert ("computes on the CPU: ...",) == models.models[0].warnings


class TestWorkingMemory:
    """What a job takes beside the weights: known after the first job of its size, and free before the next."""

    def test_the_second_job_of_a_size_does_not_run_out_of_memory(self) -> None:
        memory, now = Memory(), [0.0]
        models = residency(memory, lambda: now[0])
        for name in ("half", "small"):
            now[0] += 1
            use(models, name)
        with pytest.raises(MemoryError), models.using("small", job_size=64):
            memory.compute(120)
        assert models.make_room("small")
        with models.using("small", job_size=64):
            memory.compute(120)
        use(models, "half")

        with models.using("small", job_size=64):
            memory.compute(120)
        assert {"half": "host", "small": "device"} == placed(models)

    def test_only_as_many_leave_as_are_in_the_way(self) -> None:
        memory, now = Memory(), [0.0]
        models = residency(memory, lambda: now[0], host=0)
        with models.using("fixed", job_size=64):
            memory.compute(75)
        for name in ("half", "small", "fixed"):
            now[0] += 1
            use(models, name)
        assert {"half", "small", "fixed"} == set(placed(models))

        with models.using("fixed", job_size=64):
            memory.compute(75)
        assert {"small", "fixed"} == set(placed(models))

    def test_a_larger_job_takes_at_least_as_much(self) -> None:
        memory = Memory()
        models = residency(memory)
        with models.using("small", job_size=64):
            memory.compute(120)
        for size, kept in ((32, "device"), (128, "host")):
            use(models, "half")
            with models.using("small", job_size=size):
                pass
            assert kept == placed(models)["half"]

    def test_what_a_job_brings_has_room_too(self) -> None:
        memory = Memory()
        models = residency(memory)
        use(models, "half")
        with models.using("small", brought=10):
            memory.compute(10)
        assert "device" == placed(models)["half"]

        with models.using("small", brought=120):
            memory.compute(120)
        assert "host" == placed(models)["half"]

    def test_a_model_in_the_way_that_is_pinned_stays(self) -> None:
        memory = Memory()
        models = residency(memory)
        with models.using("small", job_size=64):
            memory.compute(120)
        models.preload("half", pin=True)

        with pytest.raises(MemoryError), models.using("small", job_size=64):
            memory.compute(120)
        assert not models.can_make_room("small")

    def test_a_batch_has_room_for_as_many_as_there_can_be(self) -> None:
        memory = Memory()
        models = residency(memory)
        with models.using("small", job_size=64):
            memory.compute(30)
        use(models, "half")
        for most, batch, place in ((2, 2, "device"), (4, 4, "host"), (8, 4, "host")):
            use(models, "half")
            with models.using("small", job_size=64, batch=most) as used:
                assert (batch, place) == (used.batch, placed(models)["half"])
                memory.compute(30 * batch)

    def test_a_pinned_model_leaves_room_for_a_smaller_batch(self) -> None:
        memory = Memory()
        models = residency(memory)
        with models.using("small", job_size=64):
            memory.compute(30)
        models.preload("half", pin=True)

        with models.using("small", job_size=64, batch=4) as used:
            assert 2 == used.batch

    def test_a_batch_that_ran_out_of_memory_is_smaller_next_time(self) -> None:
        memory = Memory()
        models = residency(memory)
        with pytest.raises(MemoryError), models.using("small", job_size=64, batch=4):
            memory.compute(200)

        with models.using("small", job_size=64, batch=4) as used:
            assert 3 == used.batch

    def test_a_model_that_leaves_meanwhile_hides_no_peak(self) -> None:
        memory = Memory()
        models = residency(memory)
        use(models, "half")
        with models.using("small", job_size=64):
            memory.compute(30)
            assert models.make_room("small")
            memory.compute(100)
        use(models, "half")

        with models.using("small", job_size=64):
            assert "host" == placed(models)["half"]

    def test_a_neighbor_on_the_card_has_others_leave_for_a_model(self) -> None:
        memory = Memory()
        models = residency(memory)
        use(models, "half")
        memory.neighbors = 90
        use(models, "small")

        assert {"half": "host", "small": "device"} == placed(models)


class TestGraphs:
    """CUDA graphs count for their model, and go before a model does."""

    def graph(self, models: Residency, name: str, size: int) -> Model:
        with models.using(name):
            model: Model = models._entries[name].loaded  # type: ignore[assignment]
            model.make_graph(size)
        return model

    def test_they_count_for_the_model(self) -> None:
        models = residency(Memory())
        self.graph(models, "small", 7)
        assert (17, 7) == (models.models[0].bytes, models.graph_bytes)
        models.unload("small")
        assert (10, 0) == (models.models[0].bytes, models.graph_bytes)

    def test_no_model_leaves_for_a_batch_without_room_beside_them(self) -> None:
        memory = Memory()
        models = residency(memory)
        with models.using("small", job_size=64):
            memory.compute(60)
        use(models, "half")
        self.graph(models, "small", 20)
        with models.using("small", job_size=64, batch=2) as used:
            assert (1, "device") == (used.batch, placed(models)["half"])

    def test_they_go_before_a_model_does(self) -> None:
        models = residency(Memory())
        graphs = [self.graph(models, name, 20) for name in ("small", "half")]
        use(models, "fixed")
        assert {"small": "device", "half": "device", "fixed": "device"} == placed(models)
        assert [0, 0] == [one.graph_bytes for one in graphs]

    def test_those_of_others_are_not_taken_for_free_memory(self) -> None:
        memory = Memory()
        models = residency(memory)
        with models.using("small", job_size=64):
            memory.compute(75)
        graph = self.graph(models, "half", 10)
        with models.using("small", job_size=64):
            assert 0 == graph.graph_bytes
            memory.compute(75)
        assert {"small": "device", "half": "device"} == placed(models)

    def test_a_job_that_fills_the_budget_keeps_none(self) -> None:
        models = residency(Memory())
        use(models, "half")
        assert 0 == self.graph(models, "small", 41).graph_bytes
        assert 40 == self.graph(models, "small", 40).graph_bytes

    def test_room_in_the_midst_of_a_job_is_made_of_its_own(self) -> None:
        models = residency(Memory())
        graph = self.graph(models, "small", 10)
        with models.using("small"):
            assert not models.make_room("small")
            assert 0 == graph.graph_bytes


class TestVariants:
    """A preset with weights of its own is in memory by itself, and named by its model."""

    def test_it_shares_nothing_with_its_model(self) -> None:
        memory = Memory()
        models = residency(memory)
        with models.using("half") as plain, models.using(VARIANT) as variant:
            assert plain.pipeline is not variant.pipeline
        assert ["half", VARIANT] == memory.loads
        facts = [(one.id, one.quantization, one.bytes) for one in models.models]
        assert [("half", None, 50), ("half", "float8", 25)] == facts

    def test_they_displace_one_another(self) -> None:
        memory = Memory()
        models = residency(memory)
        use(models, VARIANT)
        use(models, "large")
        assert ("half",) == models.take_evicted()

    def test_a_release_is_of_one_and_an_unload_of_all(self) -> None:
        models = residency(Memory(), host=200)
        for name in ("half", VARIANT):
            use(models, name)
        models.release("half")
        assert ["host", "device"] == [one.where for one in models.models]
        models.unload("half")
        assert ["host", "host"] == [one.where for one in models.models]
