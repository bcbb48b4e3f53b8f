"""What the matting network learns from, and what is kept from it."""

import numpy as np

from pipelines.matting import composite, grounds, shapes


def test_no_family_is_both_learned_and_kept_for_evaluation() -> None:
    assert not set(shapes.TRAINING) & set(shapes.HELD_OUT)
    assert not set(grounds.TRAINING) & set(grounds.HELD_OUT)
    assert not set(shapes.TRAINING.values()) & set(shapes.HELD_OUT.values())
    assert not set(grounds.TRAINING.values()) & set(grounds.HELD_OUT.values())


def test_training_draws_only_its_own_families() -> None:
    rng = np.random.default_rng(3)
    drawn = [composite.train(rng, 32) for _ in range(300)]
    assert {one.shape for one in drawn} <= {"", *shapes.TRAINING}
    assert {one.ground for one in drawn} == set(grounds.TRAINING)


def test_the_evaluation_draws_every_pair_of_its_own_families() -> None:
    drawn = [composite.held_out(number, 64) for number in range(24)]
    assert {(one.shape, one.ground) for one in drawn} == {
        (shape, ground) for shape in shapes.HELD_OUT for ground in grounds.HELD_OUT
    }


def test_a_held_out_composite_is_always_the_same() -> None:
    first, second = composite.held_out(5, 64), composite.held_out(5, 64)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.matte, second.matte)


def test_the_matte_is_where_the_thing_is_and_its_shadow_is_not() -> None:
    for number in range(24):
        made = composite.held_out(number, 96)
        assert made.image.shape == (96, 96, 3)
        assert made.image.dtype == np.uint8
        assert 0.02 < made.matte.mean() < 0.75
        assert made.matte.min() >= 0
        assert made.matte.max() <= 1 + 1e-6


def test_some_images_to_learn_from_show_nothing() -> None:
    rng = np.random.default_rng(4)
    drawn = [composite.train(rng, 32) for _ in range(200)]
    assert any(one.shape == "" and one.matte.max() == 0 for one in drawn)
