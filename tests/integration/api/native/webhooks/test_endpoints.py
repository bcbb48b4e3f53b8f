"""/webhooks/v1: endpoints, the log of their deliveries, and replays, with a CPU worker and a real receiver."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update
from standardwebhooks import Webhook, WebhookVerificationError

from cli.main import atelier
from jobs.schema.tables import outbox
from jobs.schema.tables import webhooks as endpoints
from jobs.statements.clauses import ago
from jobs.statements.webhooks import deliveries, delivery_log
from jobs.statements.webhooks import endpoints as webhooks
from jobs.wire.webhooks import EVENTS
from tests.support.servers.webhook_receiver import Reply, WebhookReceiver
from tests.support.service.api_server import api_server
from tests.support.service.cpu_worker import cpu_worker
from tests.support.wait import until

URL = "https://hooks.example/studio"
ALWAYS = {"since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}


@pytest.fixture
def add(client):
    """Make an endpoint; the answer."""

    def post(url=URL, **more):
        answer = client.post("/webhooks/v1", json={"url": url} | more)
        assert 201 == answer.status_code, answer.text
        return answer.json()

    return post


@pytest.fixture
def sink():
    with WebhookReceiver() as receiver:
        yield receiver


@pytest.fixture
def sending(settings, tmp_path):
    """Settings of a CPU worker that is quick."""
    return msgspec.structs.replace(
        settings,
        development=True,
        allowed_networks="127.0.0.0/8",
        scratch_dir=str(tmp_path),
        webhook_poll_seconds=0.05,
        webhook_schedule="0,0.05,0.05",
    )


@pytest.fixture
def point(rows):
    """Lead an endpoint to a receiver on this machine, which the API of these tests refuses."""

    def redirect(webhook, url):
        rows.execute(update(endpoints).where(endpoints.c.id == webhook["webhook_id"]).values(url=url))
        rows.execute(deliveries.redirect(webhook["webhook_id"], url))

    return redirect


def refused(answer, status, code, field=None):
    problem = answer.json()
    assert (status, code, field) == (answer.status_code, problem["code"], problem.get("field")), problem
    return problem["detail"]


def log(client, **filters):
    return client.get("/webhooks/v1/deliveries", params=filters).raise_for_status().json()["deliveries"]


class TestEndpoints:
    def test_made_listed_changed_and_removed(self, client, add):
        one, two = add(), add(events=["job.failed", "job.completed"])
        assert one["secret"].startswith("whsec_")
        assert one["secret"] != two.pop("secret")
        assert (list(EVENTS), True, None, None) == tuple(
            one[name] for name in ("events", "enabled", "disabled_because", "failing_since")
        )
        assert ["job.failed", "job.completed"] == two["events"]
        shown = {name: value for name, value in one.items() if name != "secret"}
        assert [two, shown] == client.get("/webhooks/v1").json()["webhooks"]
        path = f"/webhooks/v1/{one['webhook_id']}"
        assert shown == client.get(path).json()
        changed = client.patch(path, json={"url": URL + "/new", "events": ["job.started"]}).json()
        assert (URL + "/new", ["job.started"], True) == (changed["url"], changed["events"], changed["enabled"])
        assert changed == client.patch(path, json={}).json()
        assert 204 == client.delete(path).status_code
        refused(client.get(path), 404, "unknown_webhook")
        assert [two] == client.get("/webhooks/v1").json()["webhooks"]

    @pytest.mark.parametrize(
        ("body", "code", "field"),
        [
            ({}, "missing_field", "$.url"),
            ({"url": "hooks.example"}, "invalid_request", "$.url"),
            ({"url": "ftp://hooks.example/"}, "invalid_request", "$.url"),
            ({"url": "http://127.0.0.1/"}, "forbidden_url", "$.url"),
            ({"url": "http://169.254.169.254/latest"}, "forbidden_url", "$.url"),
            ({"url": URL + "a" * 4096}, "out_of_range", "$.url"),
            ({"url": URL, "events": []}, "out_of_range", "$.events"),
            ({"url": URL, "events": ["job.eaten"]}, "out_of_range", "$.events[0]"),
            ({"url": URL, "events": "job.failed"}, "wrong_type", "$.events"),
            ({"url": URL, "secret": "mine"}, "unknown_field", "$.secret"),
        ],
    )
    def test_what_is_refused_makes_nothing(self, client, rows, body, code, field):
        refused(client.post("/webhooks/v1", json=body), 422, code, field)
        assert [] == rows.execute(endpoints.select())

    def test_a_change_is_judged_as_the_making_is(self, client, add):
        path = f"/webhooks/v1/{add()['webhook_id']}"
        refused(client.patch(path, json={"url": "http://10.0.0.1/"}), 422, "forbidden_url", "$.url")
        refused(client.patch(path, json={"events": []}), 422, "out_of_range", "$.events")
        assert URL == client.get(path).json()["url"]

    @pytest.mark.long
    def test_there_is_room_for_so_many(self, settings, key, rows):
        with api_server(msgspec.structs.replace(settings, max_webhooks=1)) as server, server.client(key) as client:
            made = client.post("/webhooks/v1", json={"url": URL}).json()
            refused(client.post("/webhooks/v1", json={"url": URL}), 422, "too_many_webhooks")
            client.delete(f"/webhooks/v1/{made['webhook_id']}")
            assert 201 == client.post("/webhooks/v1", json={"url": URL}).status_code

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/webhooks/v1/{webhook}"),
            ("PATCH", "/webhooks/v1/{webhook}"),
            ("DELETE", "/webhooks/v1/{webhook}"),
            ("POST", "/webhooks/v1/{webhook}/rotate"),
            ("POST", "/webhooks/v1/{webhook}/test"),
            ("GET", "/webhooks/v1/deliveries/{delivery}"),
            ("POST", "/webhooks/v1/deliveries/{delivery}/replay"),
        ],
    )
    def test_a_foreign_id_answers_as_an_unknown_one(self, client, stranger, add, method, path):
        webhook = add()["webhook_id"]
        delivery = client.post(f"/webhooks/v1/{webhook}/test").json()["delivery_id"]
        body = {"json": {"enabled": False}} if method == "PATCH" else {}
        foreign = stranger.request(method, path.format(webhook=webhook, delivery=delivery), **body)
        unknown = stranger.request(method, path.format(webhook="whk_" + "0" * 32, delivery="msg_" + "0" * 32), **body)
        code = "unknown_delivery" if "delivery" in path else "unknown_webhook"
        assert refused(foreign, 404, code) == refused(unknown, 404, code)
        refused(stranger.request(method, path.format(webhook="whk_x", delivery="msg_x"), **body), 404, "malformed_id")
        assert client.get(f"/webhooks/v1/{webhook}").json()["enabled"]
        assert ([], []) == (log(stranger), stranger.get("/webhooks/v1").json()["webhooks"])
        assert 0 == stranger.post("/webhooks/v1/replay", json=ALWAYS).json()["replayed"]

    def test_removing_one_drops_what_was_still_to_be_sent(self, client, add, create, worker):
        gone, other = add(), add()
        create()
        assert 2 == len(log(client))
        client.delete(f"/webhooks/v1/{gone['webhook_id']}")
        assert [other["webhook_id"]] == [row["webhook_id"] for row in log(client)]
        worker.claim()
        assert {other["webhook_id"]} == {row["webhook_id"] for row in log(client)}


class TestSending:
    @pytest.mark.contract("E10", "F30")
    def test_a_test_event_is_signed_with_the_secret_shown(self, client, add, sink, sending, point):
        webhook = add()
        point(webhook, sink.url)
        delivery = client.post(f"/webhooks/v1/{webhook['webhook_id']}/test").json()
        assert ("webhook.test", "pending", []) == tuple(delivery[name] for name in ("type", "state", "attempts"))
        with cpu_worker(sending):
            until(lambda: log(client)[0]["state"] == "delivered", what="the delivery")
        (received,) = sink.received
        event = Webhook(webhook["secret"]).verify(received.body, received.headers)
        assert ("webhook.test", {"webhook_id": webhook["webhook_id"]}) == (event["type"], event["data"])
        (delivery,) = log(client)
        assert received.id == delivery["delivery_id"]
        assert delivery["next_attempt_at"] is None
        ((attempt),) = delivery["attempts"]
        assert (1, 200, None) == tuple(attempt[name] for name in ("attempt", "status", "problem"))
        assert 0 <= attempt["milliseconds"] < 60_000

    def test_a_rotation_signs_with_both_secrets(self, client, add, sink, sending, point):
        webhook = add()
        point(webhook, sink.url)
        path = f"/webhooks/v1/{webhook['webhook_id']}"
        new = client.post(f"{path}/rotate").json()["secret"]
        assert new != webhook["secret"]
        client.post(f"{path}/test")
        with cpu_worker(sending):
            until(lambda: sink.received, what="the delivery")
        (received,) = sink.received
        for secret in (new, webhook["secret"]):
            assert Webhook(secret).verify(received.body, received.headers)

    def test_the_secret_of_another_endpoint_does_not_verify(self, client, add, sink, sending, point):
        webhook, other = add(), add()
        point(webhook, sink.url)
        client.post(f"/webhooks/v1/{webhook['webhook_id']}/test")
        with cpu_worker(sending):
            until(lambda: sink.received, what="the delivery")
        with pytest.raises(WebhookVerificationError):
            Webhook(other["secret"]).verify(sink.received[0].body, sink.received[0].headers)

    @pytest.mark.long
    def test_gone_disables_and_gives_up_what_waits(self, client, add, create, sink, sending, point, rows):
        webhook = add(events=["job.queued"])
        point(webhook, sink.url)
        path = f"/webhooks/v1/{webhook['webhook_id']}"
        sink.replies = [Reply(410)] * 4
        for _ in range(6):
            create()
        with cpu_worker(sending):
            until(lambda: {"failed"} == {row["state"] for row in log(client)}, what="giving up")
        assert len(sink.received) < 6
        shown = client.get(path).json()
        assert (False, "gone") == (shown["enabled"], shown["disabled_because"])
        create()
        assert 6 == len(log(client))
        refused(client.post(f"{path}/test"), 409, "webhook_disabled")
        refused(client.post(f"/webhooks/v1/deliveries/{log(client)[0]['delivery_id']}/replay"), 409, "webhook_disabled")
        assert 0 == client.post("/webhooks/v1/replay", json=ALWAYS).json()["replayed"]
        assert client.patch(path, json={"enabled": True}).json()["enabled"]
        assert 6 == client.post("/webhooks/v1/replay", json=ALWAYS).json()["replayed"]
        with cpu_worker(sending):
            until(lambda: {"delivered"} == {row["state"] for row in log(client)}, what="the replays")

    @pytest.mark.long
    def test_five_failing_days_disable(self, client, add, sink, sending, point, rows):
        webhook = add()
        point(webhook, sink.url)
        path = f"/webhooks/v1/{webhook['webhook_id']}"
        sink.replies = [Reply(500)] * 9
        client.post(f"{path}/test")
        with cpu_worker(sending):
            until(lambda: log(client)[0]["state"] == "failed", what="giving up")
            shown = client.get(path).json()
            assert shown["enabled"]
            assert shown["failing_since"] is not None
            rows.execute(update(endpoints).values(failing_since=ago(5 * 86_400 + 1)))
            client.post(f"{path}/test")
            until(lambda: not client.get(path).json()["enabled"], what="disabling")
        assert "failing" == client.get(path).json()["disabled_because"]

    def test_a_success_ends_the_failing(self, client, add, sink, sending, point):
        webhook = add()
        point(webhook, sink.url)
        path = f"/webhooks/v1/{webhook['webhook_id']}"
        sink.replies = [Reply(500)]
        client.post(f"{path}/test")
        with cpu_worker(sending):
            until(lambda: log(client)[0]["state"] == "delivered", what="the delivery")
        assert client.get(path).json()["failing_since"] is None
        assert [500, 200] == [attempt["status"] for attempt in log(client)[0]["attempts"]]

    def test_one_that_its_owner_disables_gets_nothing_more(self, client, add, create, sink, sending, point):
        webhook = add()
        point(webhook, sink.url)
        create()
        client.patch(f"/webhooks/v1/{webhook['webhook_id']}", json={"enabled": False})
        (delivery,) = log(client)
        assert ("failed", "The endpoint was disabled by its owner.") == (delivery["state"], delivery["problem"])
        create()
        assert 1 == len(log(client))

    def test_what_waits_follows_a_new_url(self, client, add, create):
        webhook = add(events=["job.queued"])
        create()
        client.patch(f"/webhooks/v1/{webhook['webhook_id']}", json={"url": URL + "/new"})
        assert [URL + "/new"] == [row["url"] for row in log(client)]


@pytest.mark.contract("F30")
class TestLog:
    @pytest.fixture
    def made(self, client, add, create):
        """An endpoint, and one delivery of each of five jobs."""
        webhook = add(events=["job.queued"])
        return webhook, [create() for _ in range(5)]

    @pytest.mark.parametrize("limit", [1, 2, 5, 100])
    def test_pages_hold_each_once_newest_first(self, client, made, limit):
        seen, cursor, pages = [], None, 0
        while cursor or not pages:
            query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
            page = client.get("/webhooks/v1/deliveries", params=query).json()
            assert len(page["deliveries"]) <= limit
            seen, cursor, pages = seen + page["deliveries"], page["next_cursor"], pages + 1
        assert made[1][::-1] == [row["job_id"] for row in seen]
        assert -(-5 // limit) == pages

    def test_filters(self, client, made, rows, add, create):
        webhook, jobs = made
        other = add(events=["job.queued"])
        create()
        rows.execute(update(outbox).where(outbox.c.job_id == jobs[1]).values(given_up_at=func.now()))
        rows.execute(update(outbox).where(outbox.c.job_id == jobs[2]).values(created_at=ago(3600)))
        now = datetime.now(UTC)
        assert 6 == len(log(client, webhook_id=webhook["webhook_id"]))
        assert 1 == len(log(client, webhook_id=other["webhook_id"]))
        assert [jobs[0]] == [row["job_id"] for row in log(client, job_id=jobs[0])]
        assert [jobs[1]] == [row["job_id"] for row in log(client, state="failed")]
        assert 6 == len(log(client, state="pending"))
        old = log(client, since=(now - timedelta(hours=2)).isoformat(), until=(now - timedelta(minutes=30)).isoformat())
        assert [jobs[2]] == [row["job_id"] for row in old]

    @pytest.mark.parametrize(
        ("query", "status", "code", "field"),
        [
            ({"limit": 0}, 422, "out_of_range", "query.limit"),
            ({"cursor": "x"}, 422, "invalid_request", "query.cursor"),
            ({"state": "lost"}, 422, "out_of_range", "query.state"),
            ({"since": "2026-01-31T12:00:00"}, 422, "invalid_request", "query.since"),
            ({"webhook_id": "x"}, 404, "malformed_id", None),
        ],
    )
    def test_what_is_no_filter(self, client, query, status, code, field):
        refused(client.get("/webhooks/v1/deliveries", params=query), status, code, field)

    def test_callbacks_are_there_too(self, client, create):
        client.post(f"/jobs/v1/{create(callback_url=URL)}/cancel")
        (delivery,) = log(client)
        assert (None, "job.cancelled", URL) == (delivery["webhook_id"], delivery["type"], delivery["url"])


class TestReplay:
    @pytest.mark.contract("F30")
    def test_one_goes_again_under_the_same_id(self, client, add, sink, sending, point):
        webhook = add()
        point(webhook, sink.url)
        delivery = client.post(f"/webhooks/v1/{webhook['webhook_id']}/test").json()["delivery_id"]
        path = f"/webhooks/v1/deliveries/{delivery}"
        sink.replies = [Reply(500)] * 3 + [Reply(200), Reply(500)]
        with cpu_worker(sending):
            until(lambda: client.get(path).json()["state"] == "failed", what="giving up")
            assert 202 == client.post(f"{path}/replay").status_code
            until(lambda: client.get(path).json()["state"] == "delivered", what="the replay")
            again = client.post(f"{path}/replay").json()
            assert "pending" == again["state"]
            until(lambda: len(sink.received) == 6, what="another one, and its retry")
            until(lambda: client.get(path).json()["state"] == "delivered", what="its end")
        assert {delivery} == {received.id for received in sink.received}
        assert [500, 500, 500, 200, 500, 200] == [one["status"] for one in client.get(path).json()["attempts"]]

    @pytest.mark.contract("F30")
    def test_a_range_takes_the_failed_ones_in_it(self, client, add, create, rows):
        add(events=["job.queued"])
        old, failed, delivered = create(), create(), create()
        for job_id, fate in ((old, "given_up_at"), (failed, "given_up_at"), (delivered, "delivered_at")):
            rows.execute(update(outbox).where(outbox.c.job_id == job_id).values({fate: func.now(), "attempt": 3}))
        rows.execute(update(outbox).where(outbox.c.job_id == old).values(created_at=ago(7200)))
        since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        answer = client.post("/webhooks/v1/replay", json=ALWAYS | {"since": since})
        assert (202, {"replayed": 1, "next_since": None}) == (answer.status_code, answer.json())
        assert [failed] == [row["job_id"] for row in log(client, state="pending")]
        assert 3 == rows.scalar(select(outbox.c.attempts_before).where(outbox.c.job_id == failed))
        assert 1 == client.post("/webhooks/v1/replay", json=ALWAYS | {"state": "delivered"}).json()["replayed"]

    def test_a_long_range_takes_several_calls(self, client, add, create, rows, monkeypatch):
        monkeypatch.setattr("api.native.webhooks.deliveries.REPLAYED", 2)
        monkeypatch.setattr(delivery_log, "REPLAYED", 2)
        add(events=["job.queued"])
        for _ in range(3):
            create()
        rows.execute(update(outbox).values(given_up_at=func.now()))
        first = client.post("/webhooks/v1/replay", json=ALWAYS).json()
        assert 2 == first["replayed"]
        rest = client.post("/webhooks/v1/replay", json=ALWAYS | {"since": first["next_since"]}).json()
        assert {"replayed": 1, "next_since": None} == rest

    @pytest.mark.parametrize(
        ("body", "status", "code", "field"),
        [
            ({"since": ALWAYS["since"]}, 422, "missing_field", "$.until"),
            (ALWAYS | {"since": "yesterday"}, 422, "out_of_range", "$.since"),
            (ALWAYS | {"since": "2000-01-01T00:00:00"}, 422, "wrong_type", "$.since"),
            (ALWAYS | {"state": "pending"}, 422, "out_of_range", "$.state"),
            (ALWAYS | {"webhook_id": "x"}, 404, "malformed_id", None),
        ],
    )
    def test_what_is_no_range(self, client, body, status, code, field):
        refused(client.post("/webhooks/v1/replay", json=body), status, code, field)


class TestCommands:
    @pytest.fixture
    def run(self, api, key):
        def invoke(*arguments, status=0):
            options = ("--url", api.url, "--key", key)
            outcome = CliRunner().invoke(atelier, ["webhooks", *arguments, *options], env={"COLUMNS": "200"})
            assert status == outcome.exit_code, outcome.output
            return outcome.output

        return invoke

    @pytest.mark.long
    def test_the_life_of_an_endpoint(self, run, client, rows):
        webhook, secret = run("add", URL, "--event", "job.failed", "--event", "job.completed").split()
        assert ["job.failed", "job.completed"] == client.get(f"/webhooks/v1/{webhook}").json()["events"]
        assert URL in run("list")
        new = run("rotate", webhook).strip()
        assert new.startswith("whsec_")
        assert new != secret
        delivery = run("test", webhook).strip()
        assert delivery in run("deliveries", "--webhook", webhook, "--state", "pending")
        assert [delivery] == [row["delivery_id"] for row in json.loads(run("deliveries", "--json"))]
        rows.execute(update(outbox).values(given_up_at=func.now(), problem="Broken."))
        assert "Broken." in run("deliveries")
        assert f"{delivery}: pending" in run("replay", delivery)
        rows.execute(update(outbox).values(given_up_at=func.now()))
        range_ = ("--since", ALWAYS["since"], "--until", ALWAYS["until"])
        assert "deliveries sent again: 1" in run("replay", *range_, "--webhook", webhook)
        assert "give DELIVERY_ID" in run("replay", delivery, *range_, status=2)
        assert "give DELIVERY_ID" in run("replay", status=2)
        rows.execute(webhooks.failed(webhook, gone=True, disable_seconds=1))
        assert "disabled: gone" in run("list")
        assert f"{webhook}: enabled" in run("enable", webhook)
        assert f"{webhook} is removed" in run("remove", webhook)
        assert [] == json.loads(run("list", "--json"))
        assert "[unknown_webhook]" in run("remove", webhook, status=1)
