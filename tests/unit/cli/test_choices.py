"""Options with a fixed set of values."""

import pytest
import rich_click as click

from cli.choices import NearestChoice
from jobs.wire.webhooks import EVENTS


@pytest.mark.parametrize(
    ("typed", "near"),
    [("job.complete", "job.completed"), ("Job.Failed", "job.failed"), ("canceled", "job.cancelled")],
)
def test_the_nearest_word_is_named(typed, near):
    with pytest.raises(click.BadParameter, match=rf"Did you mean '{near}'\?"):
        NearestChoice(EVENTS).convert(typed, None, None)


def test_a_word_that_is_like_none_has_the_list_alone():
    with pytest.raises(click.BadParameter) as refused:
        NearestChoice(EVENTS).convert("everything", None, None)
    assert "'job.queued'" in refused.value.message
    assert "Did you mean" not in refused.value.message
