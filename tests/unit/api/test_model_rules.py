"""Which model is the default, and what a model refuses."""

import pytest
from msgspec.structs import replace

from api.model_rules import check_limits, default_model
from jobs.errors import NoModelAvailable, OutOfRange
from jobs.params import ImageParams
from pipelines.catalog import load_catalog

CATALOG = load_catalog()


def test_the_default_is_the_first_in_catalogue_order_that_is_served():
    assert "z-image-turbo" == default_model(CATALOG, "image", {"demo-shapes", "sdxl", "z-image-turbo"}).id
    assert "demo-shapes" == default_model(CATALOG, "image", {"demo-shapes", "somebody-elses"}).id


@pytest.mark.parametrize("served", [set(), {"somebody-elses"}])
def test_there_is_none_when_nobody_serves_the_modality(served):
    with pytest.raises(NoModelAvailable):
        default_model(CATALOG, "image", served)


def test_a_prompt_longer_than_the_model_takes():
    spec = CATALOG.models[0]
    spec = replace(spec, limits=replace(spec.limits, max_prompt_chars=10))
    check_limits(spec, ImageParams(prompt="a" * 10))
    with pytest.raises(OutOfRange) as caught:
        check_limits(spec, ImageParams(prompt="a" * 11))
    assert "$.prompt" == caught.value.field
    assert f"`prompt` must have at most 10 characters for {spec.id}." == caught.value.detail
