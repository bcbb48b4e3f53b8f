"""Pinned blocks are prepared by a thread and lent; CUDA's runtime is made up."""

from collections.abc import Callable
from queue import Empty, SimpleQueue

import pytest
import torch

from pipelines.memory import pinned_pool
from pipelines.memory.pinned_pool import FreshMemory, PinnedPool
from tests.support.gpu_worker.cudart import Cudart
from tests.support.wait import until

STEP = 1024


@pytest.fixture
def cudart(monkeypatch: pytest.MonkeyPatch) -> Cudart:
    made = Cudart.install(monkeypatch)
    monkeypatch.setattr(pinned_pool, "STEP_BYTES", STEP)
    monkeypatch.setattr(pinned_pool, "MAX_WASTE", 0)
    return made


@pytest.fixture
def ready() -> SimpleQueue[None]:
    """Gets an entry for each block that becomes ready."""
    return SimpleQueue()


Make = Callable[[int], PinnedPool]


@pytest.fixture
def pool_of(cudart: Cudart, ready: SimpleQueue[None]) -> Make:
    """Return a pool of so many bytes."""
    return lambda limit: PinnedPool("cuda:0", limit, on_ready=lambda: ready.put(None))


def prepared(pool: PinnedPool, ready: SimpleQueue[None], *sizes: int) -> None:
    """Want these sizes, and wait for them on an idle engine."""
    pool.want(sizes)
    with pool.idle():
        for _ in sizes:
            ready.get(timeout=10)


def test_what_is_not_ready_is_not_lent(pool_of: Make, cudart: Cudart) -> None:
    with pytest.raises(MemoryError, match="1 of 1 blocks of pinned host memory are not ready"):
        pool_of(10 * STEP).borrow([100])
    assert [] == cudart.pinned


def test_a_wanted_block_becomes_ready(pool_of: Make, cudart: Cudart, ready: SimpleQueue[None]) -> None:
    pool = pool_of(10 * STEP)
    prepared(pool, ready, 100, STEP + 1)
    assert [2 * STEP, STEP] == cudart.pinned
    assert {torch.device("cuda:0")} == cudart.devices
    assert [STEP, 2 * STEP] == [block.memory.numel() for block in pool.borrow([100, STEP + 1])]


def test_a_block_that_comes_back_stays_pinned(pool_of: Make, cudart: Cudart, ready: SimpleQueue[None]) -> None:
    pool = pool_of(10 * STEP)
    prepared(pool, ready, 100)
    (block,) = pool.borrow([100])
    with pytest.raises(MemoryError):
        pool.borrow([100])
    pool.give_back([block])
    assert [block] == pool.borrow([200])
    assert ([STEP], []) == (cudart.pinned, cudart.unpinned)


def test_what_was_lent_is_no_longer_wanted(pool_of: Make, cudart: Cudart, ready: SimpleQueue[None]) -> None:
    pool = pool_of(10 * STEP)
    prepared(pool, ready, 100, 100)
    pool.borrow([100])
    assert [100] == pool._wanted
    pool.borrow([100])
    assert [] == pool._wanted
    assert [STEP] * 2 == cudart.pinned


def test_where_one_is_missing_none_is_lent(pool_of: Make, ready: SimpleQueue[None]) -> None:
    pool = pool_of(10 * STEP)
    prepared(pool, ready, 100)
    with pytest.raises(MemoryError, match="1 of 2"):
        pool.borrow([100, 100])
    assert 1 == len(pool.borrow([100]))


def test_blocks_that_fit_nothing_go_for_others(pool_of: Make, cudart: Cudart, ready: SimpleQueue[None]) -> None:
    pool = pool_of(3 * STEP)
    prepared(pool, ready, STEP, 2 * STEP)
    prepared(pool, ready, 3 * STEP)
    assert [2 * STEP, STEP, 3 * STEP] == cudart.pinned
    assert 2 == len(cudart.unpinned)


def test_no_block_goes_in_vain(pool_of: Make, cudart: Cudart, ready: SimpleQueue[None]) -> None:
    pool = pool_of(4 * STEP)
    prepared(pool, ready, STEP, 2 * STEP)
    lent = pool.borrow([2 * STEP])
    pool.want([3 * STEP])
    with pool.idle():
        until(lambda: not pool._wanted)
    assert [] == cudart.unpinned
    assert 1 == len(pool.borrow([STEP]))
    del lent


def test_the_limit_counts_what_is_lent(pool_of: Make, cudart: Cudart, ready: SimpleQueue[None]) -> None:
    pool = pool_of(2 * STEP)
    prepared(pool, ready, STEP)
    lent = pool.borrow([STEP])
    pool.want([2 * STEP])
    with pool.idle(), pytest.raises(Empty):
        ready.get(timeout=0.1)
    pool.give_back(lent)
    prepared(pool, ready, 2 * STEP)
    assert [STEP, 2 * STEP] == cudart.pinned


def test_a_busy_engine_gets_its_blocks_later(
    pool_of: Make, ready: SimpleQueue[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pinned_pool, "PATIENCE_SECONDS", 0.05)
    pool = pool_of(STEP)
    pool.want([STEP])
    ready.get(timeout=10)


def test_memory_that_cannot_be_pinned_is_lent_all_the_same(
    pool_of: Make, ready: SimpleQueue[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("CUDA error: out of memory")  # the error that was pending

    cudart = Cudart.install(monkeypatch, status=2)
    monkeypatch.setattr(torch, "zeros", fail)
    pool = pool_of(STEP)
    prepared(pool, ready, STEP)
    del pool.borrow([STEP])[:]
    assert ([STEP], []) == (cudart.pinned, cudart.unpinned)


def test_a_pin_that_raises_counts_nothing(
    pool_of: Make, ready: SimpleQueue[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        failed.append(STEP)
        if len(failed) == 1:
            raise RuntimeError("CUDA error: initialization error")

    failed: list[int] = []
    cudart = Cudart.install(monkeypatch, before_pin=fail)
    pool = pool_of(STEP)
    with pool.idle():
        pool.want([STEP])
        until(lambda: bool(failed) and not pool._wanted)
    prepared(pool, ready, STEP)
    assert [STEP] == cudart.pinned


def test_what_is_wanted_while_another_block_fails_is_made(pool_of: Make, ready: SimpleQueue[None]) -> None:
    def fail_once(size: int) -> None:
        pool._prepare = prepare  # type: ignore[method-assign]
        pool.want([STEP])
        raise MemoryError("the budget is taken")

    pool = pool_of(STEP)
    prepare, pool._prepare = pool._prepare, fail_once  # type: ignore[method-assign]
    pool.want([STEP])
    with pool.idle():
        ready.get(timeout=10)
    assert 1 == len(pool.borrow([STEP]))


def test_fresh_memory_is_pinned_when_it_is_asked_for(cudart: Cudart) -> None:
    assert [7, 8] == [block.memory.numel() for block in FreshMemory("cuda:0").borrow([7, 8])]
    assert [7, 8] == cudart.pinned
    FreshMemory("cpu").borrow([7])
    assert [7, 8] == cudart.pinned
