"""The drill of `docs/backup.md`: a service under work is saved, lost and brought back, and every promise holds."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.embedded.postgres import EmbeddedPostgres, binaries
from cli.embedded.valkey import EmbeddedValkey
from jobs.job import JobStatus
from tests.support.faults.callers import Caller
from tests.support.faults.faults import kill
from tests.support.faults.scenario import SETTINGS, Scenario, scenario
from tests.support.service.service import service
from tests.support.wait import until


@pytest.mark.long
def test_25_backup_brings_back_every_accepted_job(
    own_postgres: EmbeddedPostgres, broker: EmbeddedValkey, tmp_path: Path
) -> None:
    with scenario(tmp_path, database_url=own_postgres.url, broker_url=broker.url, workers=("one",)) as lost:
        ends = [lost.ended(lost.submit(prompt)) for prompt in ("side=64", "fail=oops")]
        lost.caller.delete(lost.submit("null=1"))
        until(lambda: not lost.unfinished(), 30, "the delivery of all that")
        body = lost.body("compute=0.1")
        running = lost.service.running(lost.submit("compute=3 steps=60"))
        waiting = [lost.caller.submit(body, key="kept").job_id, lost.submit("null=1")]
        save(own_postgres, lost, tmp_path / "saved")
        for process in lost.service.newest.values():
            kill(process)

        with (
            EmbeddedPostgres(tmp_path / "postgres", durable=False) as postgres,
            EmbeddedValkey(tmp_path / "valkey") as valkey,
        ):
            restore(tmp_path / "saved" / "database.dump", postgres)
            store = {"ATELIER_STORAGE_URL": f"file://{tmp_path}/saved/objects"}
            (tmp_path / "again").mkdir()
            with service(
                tmp_path / "again", database_url=postgres.url, broker_url=valkey.url, **SETTINGS | store
            ) as back:
                back.gpu("one", wait=False)
                back.cpu()
                back.api()
                caller = Caller(back.url, back.key, lost.log)
                assert waiting[0] == caller.submit(body, key="kept").job_id
                assert ends == [back.job(job.id) for job in ends]
                assert ends[0].artifacts[0].sha256 in caller.look(ends[0].id).outputs
                assert (JobStatus.COMPLETED, 2) == ((job := back.ended(running.id, 60)).status, job.attempt)
                assert {JobStatus.COMPLETED} == {back.ended(job_id, 60).status for job_id in waiting}
                lost.service = back
                assert [] == lost.verdict(30)
                assert {running.id, *waiting} <= {message.data["data"]["job_id"] for message in lost.sink.received}
                caller.close()


def save(postgres: EmbeddedPostgres, of: Scenario, folder: Path) -> None:
    """The database first and then the objects, so that every object which a row speaks of is there."""
    folder.mkdir()
    run("pg_dump", "--format=custom", f"--file={folder / 'database.dump'}", postgres.url)
    shutil.copytree(of.service.folder / "objects", folder / "objects")


def restore(dump: Path, postgres: EmbeddedPostgres) -> None:
    run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={postgres.url}", str(dump))


def run(program: str, *arguments: str) -> None:
    outcome = subprocess.run([binaries() / program, *arguments], capture_output=True, text=True, check=False)
    if outcome.returncode:
        pytest.fail(outcome.stderr)
