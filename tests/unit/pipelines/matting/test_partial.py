"""Composites of hair and of what one sees through."""

import numpy as np
import pytest

from pipelines.matting import glass, grounds, hair, partial


def test_no_hair_or_glass_is_both_learned_and_kept() -> None:
    for kind in (hair, glass):
        assert not set(kind.TRAINING) & set(kind.HELD_OUT)
        assert not set(kind.TRAINING.values()) & set(kind.HELD_OUT.values())


@pytest.mark.parametrize(("kind", "families"), [("hair", hair.TRAINING), ("glass", glass.TRAINING)])
def test_training_draws_only_its_own_hair_and_glass(kind: str, families: dict[str, object]) -> None:
    rng = np.random.default_rng(3)
    drawn = [partial.train(rng, 32, kind) for _ in range(24)]
    assert {one.shape for one in drawn} <= set(families)
    assert {one.ground for one in drawn} <= set(grounds.TRAINING)


@pytest.mark.parametrize(("kind", "families"), [("hair", hair.HELD_OUT), ("glass", glass.HELD_OUT)])
def test_the_evaluation_draws_every_hair_and_glass(kind: str, families: dict[str, object]) -> None:
    drawn = [partial.held_out(kind, number, 64) for number in range(4 * len(families))]
    assert {(one.shape, one.ground) for one in drawn} == {
        (family, ground) for family in families for ground in grounds.HELD_OUT
    }
    for one in drawn:
        assert ((64, 64, 3), np.uint8) == (one.image.shape, one.image.dtype)
        assert ((64, 64), np.float32) == (one.matte.shape, one.matte.dtype)
        assert 0 <= one.matte.min() <= one.matte.max() <= 1 + 1e-6
        assert 0.01 < ((one.matte > 0.02) & (one.matte < 0.98)).mean()


def test_a_held_out_glass_is_always_the_same() -> None:
    first, second = partial.held_out("glass", 5, 64), partial.held_out("glass", 5, 64)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.matte, second.matte)
