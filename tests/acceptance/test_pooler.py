"""The whole service behind PgBouncer in transaction mode, with no setting for it.

`make faults` runs every other acceptance test there too.
"""

from pathlib import Path

import httpx
from sqlalchemy.engine import make_url

from jobs.job import JobStatus
from jobs.schema.migrate import migrate
from tests.support.faults.scenario import SETTINGS
from tests.support.servers.databases import Databases
from tests.support.servers.media_server import MediaServer, png
from tests.support.servers.pgbouncer import Pooler
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.service import service
from tests.support.wait import until


def test_the_service_works_behind_pgbouncer(
    postgres: Databases, pooler: Pooler, broker_url: str, tmp_path: Path
) -> None:
    with postgres.empty() as direct, MediaServer() as media, WebhookReceiver() as sink:
        database_url = pooler.url_of(make_url(direct).database or "")
        migrate(database_url)
        with service(tmp_path, database_url=database_url, broker_url=broker_url, **SETTINGS) as made:
            made.gpu("one", wait=False)
            made.cpu()
            made.api()
            made.up("one")
            job_id = made.submit(
                "echo=1", model="chaos-edit", input_image=media.serve("/a.png", png()), callback_url=sink.url
            )
            job = made.ended(job_id)
            assert (JobStatus.COMPLETED, 1) == (job.status, job.attempt)
            result_url = made.client.get(f"/jobs/v1/{job_id}").json()["result_url"]
            assert 200 == httpx.get(result_url, follow_redirects=True).status_code
            (received,) = until(lambda: list(sink.received), what="the webhook")
            assert ("job.completed", job_id) == (received.data["type"], received.data["data"]["job_id"])
