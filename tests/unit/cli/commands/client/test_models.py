"""`atelier models` beside `atelier weights list`."""

import pytest

from api.native.service.models import _answer
from cli.commands.client.models import _format_disk
from cli.output.sizes import format_disk
from pipelines.catalog.licenses import read_allowed
from pipelines.catalog.loader import load_catalog
from pipelines.weights.footprint import footprint
from pipelines.weights.lockfile import read_lock
from pipelines.weights.status import state_of

LOCK = read_lock()


@pytest.mark.parametrize("spec", load_catalog().models, ids=lambda spec: spec.id)
def test_both_lists_have_the_same_size_of_a_model(spec, tmp_path):
    answer = _answer(spec, footprint(spec, LOCK), available=False, default=False)
    state = state_of(spec, LOCK, tmp_path, read_allowed(""))
    assert format_disk(state.size, is_whole=state.is_size_whole) == _format_disk(answer)
