"""Jobs that need another model beside their own, where no server is chosen for them."""

import pytest

from api.submit.helper_models import without_helpers
from core.errors.fields import NotSupportedYet
from jobs.params.video import VideoParams
from jobs.statements.queue.submit import Offer, new_job
from pipelines.catalog.loader import Catalog
from tests.support.checkpoints.specs import spec

SILENT = spec(id="silent", modality="video", capabilities=["text-to-video"])
LOUD = spec(id="loud", modality="video", capabilities=["text-to-video", "sound"])


def of_a_batch(*offers):
    params = VideoParams(prompt="rain", sound=True)
    facts = {"job_id": "job_1", "tenant": "a", "seed": 1, "max_attempts": 3, "deadline_seconds": 60.0}
    return without_helpers(Catalog((SILENT, LOUD)), new_job(offers=offers, params=params, **facts))


def test_a_model_that_makes_it_all_is_taken():
    job = of_a_batch(Offer("silent", 1.0), Offer("loud", 2.0))
    assert (["loud"], [2.0]) == (job.models, job.prices)


def test_a_job_that_no_model_makes_alone_is_refused():
    with pytest.raises(NotSupportedYet, match="since silent needs a model of `sound`"):
        of_a_batch(Offer("silent"))
