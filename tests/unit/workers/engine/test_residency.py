"""Who is in memory: a state machine of everything that can happen, and the single rules by example."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.errors import GpuOutOfMemory
from workers.engine.residency import MemoryLimits, Residency

SIZES = {"small": 10, "half": 50, "large": 80, "whole": 100, "fixed": 30, "giant": 130}
"""Bytes of each model; `fixed` can not be parked, and `giant` is larger than the device."""
NAMES = st.sampled_from(sorted(SIZES))


class Memory:
    """A device and a host that count what lies in them; the models are `SIZES`."""

    def __init__(self) -> None:
        self.device = 0
        self.host = 0
        self.host_is_full = False
        self.loads = list[str]()
        self.more = 0
        self.is_right = self.is_finite = True
        self.estimates = dict(SIZES)

    def load(self, model_id: str, *, keeps: bool) -> "Model":
        self.loads.append(model_id)
        return Model(self, SIZES[model_id], movable=model_id != "fixed", keeps=keeps)

    def estimate(self, model_id: str) -> int:
        return self.estimates[model_id]

    def memory_used(self) -> int:
        return self.device + self.more

    def free_caches(self) -> None:
        pass

    def computes_right(self) -> bool:
        return self.is_right


class Model:
    """A model that takes device memory until it is parked, or collected."""

    def __init__(self, memory: Memory, size: int, *, movable: bool, keeps: bool) -> None:
        self.pipeline: Any = object()
        self.size = size
        self.bytes = size if movable else 0
        self.has_master, self.is_parked = movable and keeps, False
        self._memory = memory
        memory.device += size
        memory.host += size if self.has_master else 0

    def offload(self) -> None:
        assert self.bytes
        assert not self.is_parked
        if not self.has_master:
            if self._memory.host_is_full:
                raise MemoryError
            self.has_master = True
            self._memory.host += self.size
        self.is_parked = True
        self._memory.device -= self.size

    def restore(self) -> None:
        assert self.is_parked
        self.is_parked = False
        self._memory.device += self.size

    def drop(self) -> None:
        if self.has_master:
            self.has_master = False
            self._memory.host -= self.size

    def is_finite(self) -> bool:
        return self._memory.is_finite

    def __del__(self) -> None:
        self._memory.device -= 0 if self.is_parked else self.size


def residency(
    memory: Memory, clock: Callable[[], float] = lambda: 0.0, device: int = 100, host: int = 120, **limits: float
) -> Residency:
    return Residency(memory, MemoryLimits(device=device, host=host, **limits), clock)


class Comings(RuleBasedStateMachine):
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
        """A job takes its model, or is told that it does not fit; nobody who may not leave has left."""
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
        """Some of them, one after the other."""
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
        self.residency.keep_only(name)

    @rule(seconds=st.sampled_from([1.0, 9.0, 25.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.residency.sweep()

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


TestComings = Comings.TestCase
TestComings.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def use(held: Residency, name: str) -> None:
    with held.using(name):
        pass


def placed(held: Residency) -> dict[str, str]:
    return {model.id: model.where for model in held.models}


def test_the_least_recently_used_leaves_first() -> None:
    memory, now = Memory(), [0.0]
    held = residency(memory, lambda: now[0])
    for name in ("small", "half", "small", "large"):
        now[0] += 1
        use(held, name)

    assert {"small": "device", "half": "host", "large": "device"} == placed(held)
    assert ("half",) == held.take_evicted()
    held.unload("large")
    assert () == held.take_evicted()  # nobody needed its room


def test_who_comes_back_from_the_host_is_not_loaded_again() -> None:
    memory = Memory()
    held = residency(memory, host=150)
    for name in ("large", "half", "large"):
        use(held, name)

    assert ["large", "half"] == memory.loads
    assert {"large": "device", "half": "host"} == placed(held)


def test_what_is_read_is_kept_in_host_memory_where_there_is_room() -> None:
    memory = Memory()
    held = residency(memory, host=120)
    use(held, "half")
    assert 50 == memory.host
    use(held, "large")

    assert {"half": "host", "large": "device"} == placed(held)
    assert 50 == memory.host


def test_a_copy_that_turns_out_larger_than_its_room_is_given_back() -> None:
    memory = Memory()
    memory.estimates["half"] = 20
    held = residency(memory, host=40)
    use(held, "half")

    assert {"half": "device"} == placed(held)
    assert 0 == memory.host


def test_what_can_not_be_parked_is_loaded_again() -> None:
    memory = Memory()
    held = residency(memory)
    for name in ("fixed", "large", "fixed"):
        use(held, name)

    assert ["fixed", "large", "fixed"] == memory.loads


def test_without_a_share_of_the_host_a_model_leaves_altogether() -> None:
    memory = Memory()
    held = residency(memory, host=0)
    for name in ("large", "half"):
        use(held, name)

    assert {"half": "device"} == placed(held)


def test_idleness_takes_a_model_to_the_host_and_then_out() -> None:
    memory, now = Memory(), [0.0]
    held = residency(memory, lambda: now[0], idle_unload=10.0, idle_drop=30.0)
    use(held, "half")
    seen = []
    for now[0] in (9.0, 10.0, 29.0, 30.0):
        held.sweep()
        seen.append(placed(held).get("half"))

    assert ["device", "host", "host", None] == seen
    assert (0, 0) == (memory.device, memory.host)


def test_a_pinned_model_stays_until_it_is_unloaded_by_name() -> None:
    memory, now = Memory(), [0.0]
    held = residency(memory, lambda: now[0], idle_unload=10.0)
    held.preload("half", pin=True)
    now[0] = 100.0
    held.sweep()
    held.release("half")
    held.keep_only("small")
    assert {"half": "device"} == placed(held)

    with pytest.raises(GpuOutOfMemory, match=r"large takes 0\.0 GB"):
        use(held, "large")
    held.unload("half")
    use(held, "large")
    assert {"half": "host", "large": "device"} == placed(held)


@pytest.mark.contract("F20")
def test_a_model_that_turns_out_larger_than_the_device_is_refused_and_gone() -> None:
    memory = Memory()
    memory.estimates["giant"] = 20
    held = residency(memory)
    use(held, "small")

    with pytest.raises(GpuOutOfMemory):
        use(held, "giant")

    assert {"small": "device"} == placed(held)
    assert 10 == memory.device


def test_a_device_that_computes_wrong_is_not_healthy_nor_is_a_weight_that_is_no_number() -> None:
    memory = Memory()
    held = residency(memory)
    use(held, "small")
    assert held.is_healthy("small")
    memory.is_finite = False
    assert not held.is_healthy("small")
    memory.is_finite, memory.is_right = True, False
    assert not held.is_healthy("small")


@pytest.mark.contract("F20")
def test_a_size_that_was_measured_makes_room_before_the_next_load() -> None:
    memory = Memory()
    memory.estimates["large"] = 0
    held = residency(memory, host=0)
    for name in ("large", "half"):
        use(held, name)
    most = []
    memory.free_caches = lambda: most.append(memory.device)  # type: ignore[method-assign]
    use(held, "large")

    assert [0] == most


def test_nobody_leaves_for_a_model_that_can_not_fit_anyway() -> None:
    memory = Memory()
    held = residency(memory)
    for _ in range(2):  # the second time its size is known
        with pytest.raises(GpuOutOfMemory):
            use(held, "giant")
        use(held, "small")

    assert ["giant", "small"] == memory.loads
    assert {"small": "device"} == placed(held)


def test_a_model_that_was_refused_is_no_longer_anywhere_when_memory_is_given_back() -> None:
    """Pipelines are full of cycles: only a collection frees them."""
    memory = Memory()
    memory.estimates["giant"] = 20
    make, seen = memory.load, list[int]()

    def load(model_id: str, *, keeps: bool) -> Model:
        made = make(model_id, keeps=keeps)
        made.pipeline = made
        return made

    def free() -> None:
        gc.collect()
        seen.append(memory.device)

    memory.load, memory.free_caches = load, free  # type: ignore[method-assign]
    with pytest.raises(GpuOutOfMemory):
        use(residency(memory), "giant")

    assert [0] == seen


def test_a_host_share_of_nothing_keeps_nothing_of_a_model_whose_size_nobody_knows() -> None:
    memory, asked = Memory(), list[bool]()
    memory.estimates["small"] = 0
    make = memory.load

    def load(model_id: str, *, keeps: bool) -> Model:
        asked.append(keeps)
        return make(model_id, keeps=keeps)

    memory.load = load  # type: ignore[method-assign]
    for host in (0, 100):
        use(residency(memory, host=host), "small")

    assert [False, True] == asked


@pytest.mark.contract("F20")
def test_what_a_model_takes_at_its_first_use_and_keeps_is_its_own() -> None:
    memory = Memory()
    held = residency(memory)
    for _ in range(2):
        with held.using("fixed"):
            memory.more += 7

    assert [37] == [model.bytes for model in held.models]
