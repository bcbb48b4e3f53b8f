"""Files and batches of OpenAI's wire format: the API, a CPU worker's turns, and a GPU worker that the test plays."""

import json
import threading
from collections import Counter
from unittest.mock import Mock

import msgspec
import pytest
from sqlalchemy import select

from core.storage.store import open_store
from jobs.job import Artifact, JobError
from jobs.schema.tables import batch_lines, batches, files, jobs, tenants
from jobs.statements.clauses import now
from workers.batches.answers import AnswerWriter
from workers.batches.service import IN_FLIGHT, BatchWork

FILES, BATCHES, ENDPOINT = "/openai/v1/files", "/openai/v1/batches", "/v1/images/generations"
CONTENT = b"an image"


@pytest.fixture
def turns(rows, settings, store):
    """A CPU worker's turns; each looks at every batch at once."""
    work = BatchWork(settings, rows.engine, store)

    def turn(times=1):
        for _ in range(times):
            rows.execute(batches.update().where(batches.c.look_at.is_not(None)).values(look_at=now))
            while work.advance():
                pass

    return turn


@pytest.fixture
def send(client):
    """Send lines as a file; its id."""

    def upload(*lines, purpose="batch", **texts):
        content = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        answer = client.post(FILES, data={"purpose": purpose} | texts, files={"file": ("lines.jsonl", content)})
        assert 200 == answer.status_code, answer.text
        return answer.json()["id"]

    return upload


@pytest.fixture
def start(client, send):
    """Start a batch of these lines; its answer."""

    def create(*lines, **fields):
        made = client.post(BATCHES, json=batch_of(send(*lines), **fields))
        assert 200 == made.status_code, made.text
        return made.json()

    return create


def batch_of(file, **fields):
    return {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": "24h"} | fields


def line(number, url=ENDPOINT, **body):
    body = {"prompt": f"star {number}", "size": "64x64", "response_format": "b64_json"} | body
    return {"custom_id": f"line-{number}", "method": "POST", "url": url, "body": body}


def show(client, batch):
    return client.get(f"{BATCHES}/{batch['id']}").json()


def answers(client, file):
    content = client.get(f"{FILES}/{file}/content", follow_redirects=True)
    return [json.loads(one) for one in content.text.splitlines()]


def finish(worker, store, tmp_path, limit=1000):
    """Complete jobs that can be claimed, each with an image of its own; the number of them."""
    done = 0
    while done < limit and (job := worker.rows.claim(worker.claimant)) is not None:
        key = f"{job.tenant}/{job.id}/{job.fence}/a.png"
        (tmp_path / "image").write_bytes(CONTENT)
        store.put(key, tmp_path / "image", "image/png")
        image = Artifact(
            key=key, media_type="image/png", bytes=len(CONTENT), sha256="a", metadata={"width": 64, "height": 64}
        )
        worker.complete(job, image)
        done += 1
    return done


def test_twenty_lines_have_twenty_answers(client, server, start, turns, worker, store, tmp_path):
    made = start(*(line(number) for number in range(20)), metadata={"campaign": "spring"})
    assert ("batch", "in_progress", 20) == (made["object"], made["status"], made["request_counts"]["total"])
    turns()
    assert 7 == finish(worker, store, tmp_path, limit=7)
    turns()
    assert {"total": 20, "completed": 7, "failed": 0} == show(client, made)["request_counts"]
    assert 13 == finish(worker, store, tmp_path)
    turns()
    ended = show(client, made)
    assert ("completed", None, {"campaign": "spring"}) == (ended["status"], ended["error_file_id"], ended["metadata"])
    assert {"total": 20, "completed": 20, "failed": 0} == ended["request_counts"]
    made_of = answers(client, ended["output_file_id"])
    assert [f"line-{number}" for number in range(20)] == [one["custom_id"] for one in made_of]
    response = made_of[0]["response"]
    assert (200, "YW4gaW1hZ2U=") == (response["status_code"], response["body"]["data"][0]["b64_json"])
    assert "batch_output" == client.get(f"{FILES}/{ended['output_file_id']}").json()["purpose"]


@pytest.mark.long
def test_a_bounded_number_of_lines_is_in_flight(server, start, turns, worker, store, tmp_path, rows, tenant):
    start(*(line(number) for number in range(IN_FLIGHT + 8)))
    turns(2)
    assert IN_FLIGHT == rows.count_active(tenant)
    finish(worker, store, tmp_path, limit=5)
    turns()
    assert IN_FLIGHT == rows.count_active(tenant)


def test_workers_at_once_submit_each_line_once(server, start, rows, settings, store):
    start(*(line(number) for number in range(20)))
    several = [BatchWork(settings, rows.engine, store) for _ in range(4)]
    threads = [threading.Thread(target=work.advance) for work in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    prompts = Counter(row.params["prompt"] for row in rows.execute(select(jobs.c.params)))
    assert {f"star {number}": 1 for number in range(20)} == prompts


def test_a_worker_that_dies_in_a_turn_leaves_no_line_twice(server, start, rows, settings, store, turns, monkeypatch):
    start(*(line(number) for number in range(5)))
    marks = BatchWork._submit

    def die(self, connection, batch):
        marks(self, connection, batch)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BatchWork, "_submit", die)
        with pytest.raises(KeyboardInterrupt):
            turns()
    assert [] == rows.execute(select(jobs.c.id))
    turns(2)
    assert 5 == len(rows.execute(select(jobs.c.id)))


def test_a_batch_whose_turn_fails_stops_no_other(server, start, rows, settings, store, tenant):
    broken, sound = start(line(1)), start(line(2))
    rows.execute(batch_lines.update().where(batch_lines.c.batch == broken["id"]).values(job={"job": 1}))
    work = BatchWork(settings, rows.engine, store)
    with pytest.raises(msgspec.ValidationError):
        work.advance()
    assert work.advance()
    assert ["star 2"] == [row.params["prompt"] for row in rows.execute(select(jobs.c.params))]
    assert sound["id"] != broken["id"]


def test_a_worker_that_dies_while_it_writes_is_replaced(
    client, server, start, turns, worker, store, tmp_path, monkeypatch
):
    made = start(line(1))
    turns()
    finish(worker, store, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(AnswerWriter, "write", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            turns()
    assert "finalizing" == show(client, made)["status"]
    turns()
    ended = show(client, made)
    assert ("completed", 1) == (ended["status"], len(answers(client, ended["output_file_id"])))


def test_lines_that_fail_are_in_the_file_of_errors(client, server, start, turns, worker, store, tmp_path):
    made = start(line(1), line(2, n=40), line(3, model="dall-e-9"), line(4))
    turns()
    worker.fail(worker.claim(), JobError("pipeline_failed", "The model failed."))
    finish(worker, store, tmp_path)
    turns()
    ended = show(client, made)
    assert {"total": 4, "completed": 1, "failed": 3} == ended["request_counts"]
    (made_of,) = answers(client, ended["output_file_id"])
    failed = {one["custom_id"]: one["response"] for one in answers(client, ended["error_file_id"])}
    assert "line-4" == made_of["custom_id"]
    assert {"line-1": 500, "line-2": 400, "line-3": 404} == {name: one["status_code"] for name, one in failed.items()}
    assert {"line-1": "pipeline_failed", "line-2": "out_of_range", "line-3": "model_not_found"} == {
        name: one["body"]["error"]["code"] for name, one in failed.items()
    }


@pytest.mark.long
def test_a_cancelled_batch_keeps_what_was_made(client, server, start, turns, worker, store, tmp_path, rows, tenant):
    made = start(*(line(number) for number in range(IN_FLIGHT + 3)))
    turns()
    finish(worker, store, tmp_path, limit=2)
    assert "cancelling" == client.post(f"{BATCHES}/{made['id']}/cancel").json()["status"]
    turns(2)
    ended = show(client, made)
    assert ("cancelled", 0) == (ended["status"], rows.count_active(tenant))
    assert {"total": IN_FLIGHT + 3, "completed": 2, "failed": IN_FLIGHT + 1} == ended["request_counts"]
    assert 2 == len(answers(client, ended["output_file_id"]))
    codes = Counter(
        one["error"]["code"] if one["error"] else one["response"]["body"]["error"]["code"]
        for one in answers(client, ended["error_file_id"])
    )
    assert {"batch_cancelled": 3, "cancelled": IN_FLIGHT - 2} == codes


def test_a_batch_ends_when_its_day_is_over(client, server, start, turns, rows):
    made = start(line(1))
    turns()
    rows.execute(batches.update().values(expires_at=now))
    turns(2)
    ended = show(client, made)
    assert ("expired", {"total": 1, "completed": 0, "failed": 1}) == (ended["status"], ended["request_counts"])


def test_a_batch_waits_for_a_server_and_for_room(start, turns, rows, tenant, request):
    rows.execute(tenants.update().values(max_waiting_jobs=2))
    start(*(line(number) for number in range(3)))
    turns()
    assert 0 == rows.count_active(tenant)
    request.getfixturevalue("server")
    turns()
    assert 2 == rows.count_active(tenant)
    rows.execute(tenants.update().values(max_waiting_jobs=None))
    turns()
    assert 3 == rows.count_active(tenant)


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        (["{"], "invalid_json_line", 1),
        ([line(1), {"custom_id": "a"}], "invalid_json_line", 2),
        ([line(1), line(1)], "duplicate_custom_id", 2),
        ([line(1, url="/v1/videos")], "mismatched_endpoint", 1),
        ([line(1) | {"method": "GET"}], "invalid_method", 1),
        ([""], "empty_file", None),
    ],
)
def test_a_file_that_cannot_be_read_makes_no_jobs(client, server, start, turns, rows, lines, code, number):
    made = start(*lines)
    turns()
    assert ("failed", [(code, number)]) == (
        show(client, made)["status"],
        [(fault["code"], fault["line"]) for fault in made["errors"]["data"]],
    )
    assert [] == rows.execute(select(jobs.c.id))


def test_a_repeat_makes_no_second_batch(client, server, send, rows):
    body = batch_of(send(line(1)))
    ids = [
        client.post(BATCHES, json=body, headers={"x-stainless-retry-count": n}).json()["id"] for n in ("0", "1", "0")
    ]
    assert (True, 2) == (ids[0] == ids[1], len(set(ids)))
    assert 2 == len(rows.execute(select(batch_lines.c.batch)))


def test_files_are_listed_kept_apart_and_deleted(client, stranger, send, store, rows, settings):
    first, second = send("a"), send("b", purpose="user_data")
    listed = client.get(FILES, params={"limit": 1}).json()
    assert ([second], True, second) == ([one["id"] for one in listed["data"]], listed["has_more"], listed["last_id"])
    older = client.get(FILES, params={"after": second}).json()
    assert ([first], False) == ([one["id"] for one in older["data"]], older["has_more"])
    assert [first] == [one["id"] for one in client.get(FILES, params={"purpose": "batch"}).json()["data"]]
    assert [first, second] == [one["id"] for one in client.get(FILES, params={"order": "asc"}).json()["data"]]
    for path in (f"{FILES}/{first}", f"{FILES}/{first}/content"):
        assert (404, "unknown_file") == (stranger.get(path).status_code, stranger.get(path).json()["error"]["code"])
    assert (400, "input_file_id") == _status_and_param(client.post(BATCHES, json=batch_of(second)))
    assert 404 == client.post(BATCHES, json=batch_of("file-none")).status_code
    assert client.delete(f"{FILES}/{first}").json()["deleted"]
    assert 404 == client.get(f"{FILES}/{first}").status_code
    rows.execute(files.update().values(expires_at=now))
    assert not BatchWork(settings, rows.engine, store).expire()
    assert [] == list(open_store(settings).keys())
    assert [] == rows.execute(select(files.c.id))


def test_a_batch_of_another_tenant_is_unknown(client, stranger, server, start):
    made = start(line(1))
    for answer in (stranger.get(f"{BATCHES}/{made['id']}"), stranger.post(f"{BATCHES}/{made['id']}/cancel")):
        assert (404, "unknown_batch") == (answer.status_code, answer.json()["error"]["code"])
    assert [made["id"]] == [one["id"] for one in client.get("/v1/batches").json()["data"]]
    assert (400, "endpoint") == _status_and_param(
        client.post(BATCHES, json=batch_of("file-x", endpoint="/v1/responses"))
    )


def _status_and_param(answer):
    return answer.status_code, answer.json()["error"]["param"]
