"""Servers for operators: their state, and commands over HTTP and a real broker to a real Celery worker."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from sqlalchemy import update

from api.operations.server_commands import ServerCommands
from jobs.schema.tables import servers
from jobs.scopes import ADMIN
from jobs.statements import servers as fleet
from jobs.statements.maintenance.growth import measure
from jobs.wire.servers import ResidentModel, ServerFacts
from tests.support.ports import free_port
from tests.support.rows.rows import ARTIFACT
from tests.support.service.api_server import api_server, make_key
from tests.support.service.command_recorder import REFUSED, SERVES, command_recorder, orders
from tests.support.wait import until

VERBS = ("cordon", "uncordon", "drain", "preload", "unload", "recycle")
MODEL = {"model": "chaos"}


@pytest.fixture(scope="module")
def listening(settings):
    """A worker that receives the commands to `gpu-1`."""
    with command_recorder(settings, "gpu-1", dict(os.environ)):
        yield


@pytest.fixture
def server(rows):
    """The row of `gpu-1`, alive."""
    return rows.server("gpu-1", serves=SERVES)


def send(client, verb, server_id="gpu-1", **body):
    more = {"json": body} if verb in ("preload", "unload") else {}
    return client.post(f"/servers/v1/{server_id}/{verb}", **more)


def status_and_code(answer):
    return answer.status_code, answer.json()["code"]


class TestScope:
    def test_a_key_without_the_scope_may_not(self, client, rows, server):
        assert [(403, "forbidden")] * 6 == [status_and_code(send(client, verb, **MODEL)) for verb in VERBS]
        assert "active" == rows.execute(fleet.server("gpu-1"))[0].desired

    def test_a_key_without_the_scope_removes_no_server(self, client, rows):
        rows.server("gone", lease_seconds=-1)
        assert (403, "forbidden") == status_and_code(client.delete("/servers/v1/gone"))
        assert 200 == client.get("/servers/v1/gone").status_code

    def test_a_key_without_the_scope_learns_no_names(self, client):
        assert (403, "forbidden") == status_and_code(send(client, "drain", "unknown"))

    def test_a_request_without_a_key_is_a_401(self, api, server):
        with api.client() as anonymous:
            assert (401, "unauthenticated") == status_and_code(send(anonymous, "drain"))


@pytest.mark.long
@pytest.mark.parametrize("method", ["cancel", "delete"])
def test_the_worker_of_a_cancelled_job_is_nudged(client, create, worker, settings, listening, method):
    """It stops at once and not at its next heartbeat. A job that was never claimed has no worker."""
    running = create()
    worker.claim()
    for job_id in (create(), running):
        if method == "cancel":
            assert 200 == client.post(f"/jobs/v1/{job_id}/cancel").status_code
        else:
            assert client.delete(f"/jobs/v1/{job_id}").is_success
    until(lambda: [["look"]] == orders(settings), what="one nudge")


@pytest.mark.parametrize("method", ["cancel", "delete"])
def test_the_worker_of_a_job_that_has_ended_is_left_alone(client, create, worker, monkeypatch, method):
    nudged = []
    monkeypatch.setattr(ServerCommands, "nudge", lambda self, server_id: nudged.append(server_id))
    completed, running = create(), create()
    worker.complete(worker.claim(), ARTIFACT)
    worker.claim()
    for job_id in (completed, running):
        path = f"/jobs/v1/{job_id}"
        assert (client.post(f"{path}/cancel") if method == "cancel" else client.delete(path)).is_success
    assert ["gpu-1"] == nudged


class TestDesiredState:
    def test_it_is_stored_and_the_server_is_nudged(self, admin, settings, server, listening):
        verbs = {"cordon": "cordoned", "drain": "draining", "uncordon": "active"}
        for verb, desired in [*verbs.items()] * 2:
            answer = send(admin, verb)
            assert (200, "gpu-1", desired) == (
                answer.status_code,
                *(answer.json()[n] for n in ("server_id", "desired")),
            )
        assert answer.json().keys() == admin.get("/servers/v1/gpu-1").json().keys()
        until(lambda: [["look"]] * 6 == orders(settings), what="six nudges")

    def test_an_offline_server_has_one_too(self, admin, rows):
        rows.server("gone", lease_seconds=-1)
        answer = send(admin, "cordon", "gone").json()
        assert ("offline", "cordoned") == (answer["state"], answer["desired"])

    def test_a_restart_does_not_change_it(self, admin, rows, server):
        send(admin, "cordon")
        rows.execute(fleet.leave("gpu-1", server.incarnation))
        rows.server("gpu-1")
        assert "cordoned" == admin.get("/servers/v1/gpu-1").json()["desired"]

    def test_a_cordoned_server_claims_only_after_uncordon(self, admin, create, rows, server):
        job_id = create(server_id="gpu-1")
        send(admin, "cordon")
        assert rows.claim(server) is None
        send(admin, "uncordon")
        assert job_id == rows.claim(server).id

    def test_a_second_drain_does_not_look_done(self, admin, rows, server):
        beat(rows, server, state="drained")
        assert "draining" == send(admin, "drain").json()["state"]

    def test_a_server_says_why_its_store_is_away(self, client, rows, server):
        beat(rows, server, state="store_away", problem="NoSuchBucket")
        shown = client.get("/servers/v1/gpu-1").json()
        assert ("store_away", "NoSuchBucket") == (shown["state"], shown["problem"])
        beat(rows, server, state="idle")
        shown = client.get("/servers/v1/gpu-1").json()
        assert ("idle", None) == (shown["state"], shown["problem"])

    @pytest.mark.parametrize("name", ["unknown", "a%00b"])
    def test_an_unknown_server(self, admin, name):
        assert [(404, "unknown_server")] * 6 == [status_and_code(send(admin, verb, name, **MODEL)) for verb in VERBS]


class TestCommands:
    def test_the_server_receives_it(self, admin, settings, server, listening):
        for verb, body, call in (
            ("preload", MODEL, ["preload", "chaos", False]),
            ("preload", MODEL | {"pin": True}, ["preload", "chaos", True]),
            ("unload", MODEL, ["unload", "chaos"]),
            ("unload", {}, ["unload", None]),
            ("recycle", {}, ["recycle"]),
        ):
            answer = send(admin, verb, **body)
            assert 202 == answer.status_code, answer.text
            assert {"server_id": "gpu-1", "order": verb, "model": body.get("model")} == answer.json()
            assert call == orders(settings)[-1]
        assert 5 == len(orders(settings))

    def test_a_refusal_has_the_words_of_the_server(self, admin, server, listening):
        answer = send(admin, "preload", model=REFUSED)
        assert (409, "order_refused") == status_and_code(answer)
        assert "Not enough memory: every other model is pinned." == answer.json()["detail"]

    def test_a_model_that_it_does_not_serve(self, admin, server):
        assert (422, "unknown_model") == status_and_code(send(admin, "unload", model="chaos-video"))
        answer = send(admin, "preload", model="chaos-video")
        assert (422, "unknown_model") == status_and_code(answer)
        assert "$.model" == answer.json()["field"]
        assert "choose one of chaos, chaos-two" in answer.json()["detail"]

    def test_a_bad_body(self, admin, server):
        for body, code, field in (
            ({}, "missing_field", "$.model"),
            (MODEL | {"pni": True}, "unknown_field", "$.pni"),
            (MODEL | {"pin": "yes"}, "wrong_type", "$.pin"),
            ({"model": ""}, "out_of_range", "$.model"),
            ({"model": "a\0"}, "unknown_model", "$.model"),
        ):
            answer = send(admin, "preload", **body)
            assert (422, code, field) == (*status_and_code(answer), answer.json()["field"])

    def test_a_server_that_is_offline(self, admin, rows):
        rows.server("gone", lease_seconds=-1)
        verbs = ("preload", "unload", "recycle")
        assert [(409, "server_offline")] * 3 == [status_and_code(send(admin, verb, "gone", **MODEL)) for verb in verbs]

    @pytest.mark.long
    def test_a_live_server_without_a_reply_is_a_503(self, settings, rows):
        rows.server("deaf")
        with api_server(msgspec.structs.replace(settings, order_timeout=0.3)) as impatient:
            answer = send(operator(impatient, rows), "recycle", "deaf")
        assert (503, "broker_unavailable") == status_and_code(answer)
        assert "did not reply within 0.3 s" in answer.json()["detail"]

    @pytest.mark.long
    def test_a_broker_that_is_away(self, settings, rows, server):
        away = msgspec.structs.replace(settings, broker_url=f"redis://127.0.0.1:{free_port()}/0")
        with api_server(away) as alone:
            client = operator(alone, rows)
            assert (503, "broker_unavailable") == status_and_code(send(client, "preload", **MODEL))
            assert (200, "cordoned") == ((answer := send(client, "cordon")).status_code, answer.json()["desired"])

    @pytest.mark.long
    def test_a_hanging_broker_delays_no_other_request(self, settings, rows, server):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
            patient = msgspec.structs.replace(settings, broker_url=url, broker_timeout=60.0, order_timeout=60.0)
            with api_server(patient) as alone, ThreadPoolExecutor() as threads:
                client = operator(alone, rows)
                waiting = [threads.submit(send, client, "recycle") for _ in range(4)]
                assert [200] * 8 == [client.get("/servers/v1").status_code for _ in range(8)]
                assert not any(answer.done() for answer in waiting)
                deaf.close()  # which ends the connections that hang
                assert [(503, "broker_unavailable")] * 4 == [status_and_code(answer.result()) for answer in waiting]


class TestListing:
    @pytest.mark.contract("F20")
    def test_memory_by_model(self, client, rows, server):
        resident = [
            ResidentModel(id="chaos", bytes=3 << 30, where="device", pinned=True),
            ResidentModel(id="chaos-two", bytes=1 << 30, where="host", warnings=("computes on the CPU: …",)),
        ]
        beat(rows, server, memory_total=8 << 30, memory_used=3 << 30, resident=["chaos"], models=tuple(resident))
        seen = client.get("/servers/v1/gpu-1").json()
        assert resident == msgspec.convert(seen["models"], list[ResidentModel])
        assert (8 << 30, 3 << 30, ["chaos"]) == (seen["memory_total"], seen["memory_used"], seen["resident"])
        assert [seen["models"]] == [one["models"] for one in client.get("/servers/v1").json()["servers"]]
        rows.execute(fleet.leave("gpu-1", server.incarnation))
        gone = client.get("/servers/v1/gpu-1").json()
        assert (False, "offline", 0, [], []) == tuple(
            gone[name] for name in ("alive", "state", "memory_used", "resident", "models")
        )

    def test_unknown_facts_of_a_newer_worker_are_left_out(self, client, rows, server):
        model = {"id": "chaos", "bytes": 1, "where": "disk", "pinned": False}
        rows.execute(update(servers).values(models=[model | {"since": "yesterday"}]))
        assert [model | {"warnings": [], "quantization": None}] == client.get("/servers/v1/gpu-1").json()["models"]

    def test_the_job_it_runs_is_for_admins_only(self, client, admin, rows, server):
        beat(rows, server, state="busy", current_job="job_" + 32 * "a")
        for reader, job in ((client, None), (admin, "job_" + 32 * "a")):
            one, (listed,) = reader.get("/servers/v1/gpu-1").json(), reader.get("/servers/v1").json()["servers"]
            assert (True, job, job) == (one["busy"], one["current_job"], listed["current_job"])

    def test_what_is_stored_is_for_admins_only(self, client, admin, rows, server):
        assert client.get("/servers/v1").json()["stored"] is None
        before = admin.get("/servers/v1").json()["stored"]
        assert before["database"] > 1_000_000
        assert (None, None, None) == (before["store"], before["objects"], before["measured_at"])
        rows.execute(measure())
        after = admin.get("/servers/v1").json()["stored"]
        assert (0, 0) == (after["store"], after["objects"])
        assert after["store_free"] is None or after["store_free"] > 0

    def test_a_dedicated_server(self, client, rows, server):
        beat(rows, server, dedicated=True, versions={"torch": "2"})
        seen = client.get("/servers/v1/gpu-1").json()
        assert (True, {"torch": "2"}, False) == (seen["dedicated"], seen["versions"], seen["busy"])

    def test_an_unknown_server(self, client):
        names = ("unknown", "a%00b")
        assert [(404, "unknown_server")] * 2 == [status_and_code(client.get(f"/servers/v1/{name}")) for name in names]

    def test_a_job_may_name_a_server_that_takes_no_jobs(self, client, rows, server):
        """The job waits for it; only a name that was never registered is refused."""
        body = {"prompt": "a", "model": "chaos", "server_id": "gpu-1"}
        for change in (
            fleet.desire("gpu-1", "cordoned"),
            fleet.desire("gpu-1", "draining"),
            fleet.leave("gpu-1", server.incarnation),
        ):
            rows.execute(change)
            assert 202 == client.post("/generate/image/v1", json=body).status_code
        refused = client.post("/generate/image/v1", json=body | {"server_id": "unknown"})
        assert (404, "unknown_server") == status_and_code(refused)


class TestRemoving:
    @pytest.fixture
    def gone(self, rows):
        return rows.server("gone", lease_seconds=-1)

    def test_one_that_is_gone(self, admin, client, rows, gone):
        send(admin, "cordon", "gone")
        assert 204 == admin.delete("/servers/v1/gone").status_code
        assert [] == client.get("/servers/v1").json()["servers"]
        assert (404, "unknown_server") == status_and_code(client.get("/servers/v1/gone"))
        assert (404, "unknown_server") == status_and_code(admin.delete("/servers/v1/gone"))
        body = {"prompt": "a", "model": "chaos", "server_id": "gone"}
        assert (404, "unknown_server") == status_and_code(client.post("/generate/image/v1", json=body))

    def test_its_name_can_come_back_as_another_incarnation(self, admin, client, rows, gone):
        """The same incarnation again would make a sleeper that wakes up a second holder of the name."""
        send(admin, "drain", "gone")
        admin.delete("/servers/v1/gone")
        again = rows.server("gone")
        assert gone.incarnation + 1 == again.incarnation
        assert "active" == client.get("/servers/v1/gone").json()["desired"]

    def test_a_heartbeat_after_removal_restores_it(self, admin, client, rows, gone):
        admin.delete("/servers/v1/gone")
        beat(rows, gone)
        assert client.get("/servers/v1/gone").json()["alive"]

    def test_a_live_server_is_not_removed(self, admin, server):
        assert (409, "server_alive") == status_and_code(admin.delete("/servers/v1/gpu-1"))
        assert (409, "server_alive") == status_and_code(admin.delete("/servers/v1/gpu-1?force=true"))

    def test_pinned_jobs_require_force(self, admin, client, create, rows, gone):
        waiting, ended = create(model="chaos", server_id="gone"), create(model="chaos", server_id="gone")
        client.post(f"/jobs/v1/{ended}/cancel")
        refused = admin.delete("/servers/v1/gone")
        assert (409, "server_has_jobs") == status_and_code(refused)
        assert refused.json()["detail"].startswith("1 waiting job")
        assert 204 == admin.delete("/servers/v1/gone", params={"force": True}).status_code
        assert "queued" == client.get(f"/jobs/v1/{waiting}").json()["status"]
        assert waiting == rows.claim(rows.server("gone")).id

    def test_jobs_that_prefer_it_do_not_keep_it(self, admin, create, rows, gone):
        create(model="chaos", server_id="gone", pin="prefer")
        assert 204 == admin.delete("/servers/v1/gone").status_code

    @pytest.mark.long
    def test_force_is_true_or_false(self, admin, gone):
        answer = admin.delete("/servers/v1/gone?force=maybe")
        assert (422, "query.force") == (answer.status_code, answer.json()["field"])


def beat(rows, server, *, state="idle", **facts):
    """Send a heartbeat of the server, with these facts."""
    reported = ServerFacts(state=state, device="cpu", serves=server.models, **facts)
    assert rows.execute(fleet.heartbeat(server.server_id, server.incarnation, reported, lease_seconds=600))


def operator(api, rows):
    """A client of another API, with an operator's key."""
    return api.client(make_key(rows, api.settings, rows.tenant("operators"), scopes=[ADMIN]))
