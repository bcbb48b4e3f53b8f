"""A batch of OpenAI's client while CPU workers are killed: every line has one answer, and none has two."""

import json
import os
import signal
from collections.abc import Iterator
from io import BytesIO

import pytest
from openai import OpenAI

from tests.support.servers.databases import Databases
from tests.support.service.service import Service, service
from tests.support.wait import until

LINES = 1000
ENDPOINT = "/v1/images/generations"


@pytest.fixture
def box(postgres: Databases, broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("batch")
    with postgres.fresh() as url, service(folder, database_url=url, broker_url=broker_url) as made:
        made.api()
        made.gpu("one")
        yield made


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_thousand_lines_outlive_two_killed_workers(box: Service) -> None:
    client = OpenAI(base_url=f"{box.url}/openai/v1", api_key=box.key)
    body = {"model": "chaos", "size": "64x64", "response_format": "url"}
    lines = (
        {"custom_id": str(number), "method": "POST", "url": ENDPOINT, "body": {"prompt": f"star {number}", **body}}
        for number in range(LINES)
    )
    content = "\n".join(json.dumps(line) for line in lines).encode()
    file = client.files.create(file=("lines.jsonl", BytesIO(content)), purpose="batch")
    batch = client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
    for part in (LINES // 4, LINES // 2):
        worker = box.cpu()
        until(lambda least=part: done(client, batch.id) >= least, 300, f"{part} lines")
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    box.cpu()
    until(lambda: client.batches.retrieve(batch.id).status == "completed", 600, "the end of the batch")
    ended = client.batches.retrieve(batch.id)
    answers = [json.loads(line) for line in client.files.content(ended.output_file_id or "").text.splitlines()]
    assert [str(number) for number in range(LINES)] == [answer["custom_id"] for answer in answers]
    with box.database.connect() as connection:
        assert LINES == connection.exec_driver_sql("SELECT count(*) FROM jobs").scalar()


def done(client: OpenAI, batch_id: str) -> int:
    """How many lines are completed."""
    counts = client.batches.retrieve(batch_id).request_counts
    return 0 if counts is None else counts.completed
