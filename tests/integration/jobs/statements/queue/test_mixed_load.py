"""What the order of the claim is for, at a small size; `python -m benchmarks mixed` has the figures at full size."""

import pytest

from benchmarks import mixed


@pytest.mark.long
def test_a_mixed_load_runs_nearly_as_fast_as_one_model(rows):
    arrivals = mixed.trace(150)
    ours = mixed.simulate(rows.engine, arrivals, bound=40.0)
    assert mixed.one_model(arrivals) / ours.seconds > 0.9
    assert mixed.first_in_first_out(arrivals) / ours.seconds > 1.8
    under_way = max(mixed.LOAD_SECONDS.values()) + mixed.RUN_SECONDS
    assert ours.passed_by <= 40.0 + 2 * under_way


def test_ten_jobs_behind_many_take_twice_their_time_at_most(rows):
    assert 1.0 < mixed.fair_share(rows.engine, 60) <= 2.0
