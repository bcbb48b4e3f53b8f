"""Submissions: notification, repeats, and the objects of requests that make no job, with a scripted database."""

from types import SimpleNamespace

import pytest

from api.http.auth import Caller
from api.submit.media_intake import IngestedRequest
from api.submit.service import Submission, Submissions
from core.errors.limits import TooManyJobs
from core.errors.unavailable import DatabaseUnavailable
from core.settings import Settings
from jobs.params.image import ImageParams
from pipelines.catalog.loader import Catalog

CALLER = Caller("tenant", "key_1", 9)
FOLDER = "tenant/job_new/"
WORDS = ImageParams(prompt="a red circle")
WITH_DATA = ImageParams(prompt="a red circle", input_image="data:image/png;base64,AAAA")


def job(job_id):
    return SimpleNamespace(id=job_id, model="chaos", modality="image")


class Fakes:
    """The database with scripted results of its transactions, the intake and the notifier; calls are recorded."""

    def __init__(self, *results):
        self.results = list(results)
        self.notified, self.discarded, self.ingested = [], [], []

    async def transaction(self, work):
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    async def ingest(self, tenant, job_id, params, stored, body):
        self.ingested.append((job_id, dict(stored)))
        return IngestedRequest(params, (), FOLDER if params.input_image else "")

    async def discard(self, folder):
        self.discarded.append(folder)

    def notify_later(self, job):
        self.notified.append(job.id)

    async def submit(self, params):
        submissions = Submissions(self, Catalog(()), self, self, Settings())
        return await submissions.submit(Submission(job_id="job_new", caller=CALLER, params=params))


async def test_a_new_job_is_returned_and_notified():
    fakes = Fakes(job("job_new"))
    submitted = await fakes.submit(WORDS)
    assert ("job_new", False) == (submitted.job.id, submitted.repeated)
    assert (["job_new"], []) == (fakes.notified, fakes.discarded)


async def test_a_repeat_found_at_commit_discards_its_media():
    fakes = Fakes((None, {"inp_1": "key"}), job("job_earlier"))
    submitted = await fakes.submit(WITH_DATA)
    assert ("job_earlier", True) == (submitted.job.id, submitted.repeated)
    assert ([("job_new", {"inp_1": "key"})], [FOLDER], []) == (fakes.ingested, fakes.discarded, fakes.notified)


async def test_a_repeat_found_first_ingests_no_media():
    fakes = Fakes((job("job_earlier"), {}))
    assert (await fakes.submit(WITH_DATA)).repeated
    assert ([], [], []) == (fakes.ingested, fakes.discarded, fakes.notified)


async def test_a_refusal_at_commit_discards_the_media():
    fakes = Fakes((None, {}), TooManyJobs())
    with pytest.raises(TooManyJobs):
        await fakes.submit(WITH_DATA)
    assert ([FOLDER], []) == (fakes.discarded, fakes.notified)


async def test_media_stay_when_the_commit_is_in_doubt():
    fakes = Fakes((None, {}), DatabaseUnavailable())
    with pytest.raises(DatabaseUnavailable):
        await fakes.submit(WITH_DATA)
    assert ([], []) == (fakes.discarded, fakes.notified)
