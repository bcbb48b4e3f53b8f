"""/keys/v1 and /me/v1: made, listed, used, revoked, expired; and what each scope lets in."""

import msgspec
import pytest
from sqlalchemy import text

from tests.support.service.api_server import api_server, make_key

ROUTE, IMAGE = "/keys/v1", "/generate/image/v1"


@pytest.fixture
def owner(api, rows, tenant):
    """A client of the tenant whose key may make others."""
    with api.client(make_key(rows, api.settings, tenant, scopes=["write", "keys:write"], priority_ceiling=5)) as client:
        yield client


@pytest.fixture
def make(owner):
    """Make a key, and give its answer."""

    def add(client=owner, **fields):
        answer = client.post(ROUTE, json={"name": "Shop"} | fields)
        assert 201 == answer.status_code, answer.text
        return answer.json()

    return add


def refused(answer, status, code, field=None):
    problem = answer.json()
    assert (status, code, field) == (answer.status_code, problem["code"], problem.get("field"))
    return problem["detail"]


def test_a_key_is_shown_once_listed_and_revoked(api, owner, make, rows):
    first, second = make(name="One"), make(name="Two", scopes=["read"], expires_in_seconds=3600)
    assert (["write"], 5, None) == (first["scopes"], first["priority_ceiling"], first["expires_at"])
    with api.client(first["key"]) as client:
        me = client.get("/me/v1").json()
        assert (first["key_id"], "One", "studio") == (me["key_id"], me["key_name"], me["tenant"])
        page = owner.get(ROUTE, params={"limit": 2}).json()
        assert [second["key_id"], first["key_id"]] == [key["key_id"] for key in page["keys"]]
        assert first["key"] not in str(page) + owner.get(f"{ROUTE}/{first['key_id']}").text
        rest = owner.get(ROUTE, params={"cursor": page["next_cursor"]}).json()
        assert (["test"], None) == ([key["name"] for key in rest["keys"]], rest["next_cursor"])
        for _ in range(2):
            assert 204 == owner.delete(f"{ROUTE}/{first['key_id']}").status_code
        refused(client.get("/me/v1"), 401, "unauthenticated")
    shown = owner.get(f"{ROUTE}/{first['key_id']}").json()
    assert not shown["valid"]
    assert shown["revoked_at"] is not None


def test_an_expired_key_is_refused(api, make, rows, owner):
    made = make(expires_in_seconds=3600)
    with api.client(made["key"]) as client:
        assert 200 == client.get("/me/v1").status_code
        rows.execute(text("UPDATE api_keys SET expires_at = now() WHERE name = 'Shop'"))
        assert "expired" in refused(client.get("/me/v1"), 401, "unauthenticated")
    assert not owner.get(f"{ROUTE}/{made['key_id']}").json()["valid"]


@pytest.mark.long
def test_the_last_use_is_written_without_a_write_per_request(settings, rows, tenant):
    key = make_key(rows, settings, tenant)
    with api_server(settings) as server, server.client(key) as client:
        for _ in range(3):
            assert client.get("/me/v1").status_code == 200
        assert rows.scalar(text("SELECT last_used_at FROM api_keys")) is None
    assert rows.scalar(text("SELECT now() - last_used_at < interval '1 minute' FROM api_keys"))


class TestWhatItMayGive:
    def test_a_key_gives_no_more_than_it_has(self, owner):
        refused(owner.post(ROUTE, json={"name": "a", "scopes": ["admin"]}), 403, "not_entitled", "$.scopes")
        refused(owner.post(ROUTE, json={"name": "a", "scopes": ["unmarked"]}), 403, "not_entitled", "$.scopes")
        refused(owner.post(ROUTE, json={"name": "a", "priority_ceiling": 6}), 422, "out_of_range", "$.priority_ceiling")
        refused(owner.post(ROUTE, json={"name": "a", "tenant": "another"}), 403, "not_entitled", "$.tenant")
        refused(owner.get(ROUTE, params={"tenant": "another"}), 403, "not_entitled", "query.tenant")

    def test_an_ordinary_key_makes_none(self, client):
        assert "`keys:write`" in refused(client.post(ROUTE, json={"name": "a"}), 403, "forbidden")

    def test_a_stranger_sees_nothing(self, make, stranger, admin):
        path = f"{ROUTE}/{make()['key_id']}"
        refused(stranger.get(path), 404, "unknown_key")
        refused(stranger.delete(path), 403, "forbidden")
        assert [] == [key for key in stranger.get(ROUTE).json()["keys"] if key["name"] == "Shop"]
        assert 200 == admin.get(path).status_code

    def test_an_operator_makes_a_tenant_with_its_key(self, admin, api, make):
        made = make(admin, tenant="new shop", scopes=["write", "keys:write"])
        assert "new shop" == made["tenant"]
        with api.client(made["key"]) as client:
            assert "new shop" == client.get("/me/v1").json()["tenant"]
        assert [made["key_id"]] == [k["key_id"] for k in admin.get(ROUTE, params={"tenant": "new shop"}).json()["keys"]]
        assert 204 == admin.delete(f"{ROUTE}/{made['key_id']}").status_code

    @pytest.mark.long
    def test_a_tenant_has_a_number_of_valid_keys(self, settings, rows, tenant):
        key = make_key(rows, settings, tenant, scopes=["write", "keys:write"])
        with api_server(msgspec.structs.replace(settings, max_keys=2)) as server, server.client(key) as client:
            made = client.post(ROUTE, json={"name": "a"}).json()
            refused(client.post(ROUTE, json={"name": "b"}), 422, "too_many_keys")
            client.delete(f"{ROUTE}/{made['key_id']}")
            assert 201 == client.post(ROUTE, json={"name": "b"}).status_code


class TestScopes:
    def test_a_key_to_read_changes_nothing(self, api, rows, tenant, create):
        job_id = create()
        with api.client(make_key(rows, api.settings, tenant, scopes=["read"])) as reader:
            assert 200 == reader.get(f"/jobs/v1/{job_id}").status_code
            assert 200 == reader.get(f"{IMAGE}/status/{job_id}").status_code
            assert "`jobs:write`" in refused(reader.post(IMAGE, json={"prompt": "a"}), 403, "forbidden")
            for method, path in (
                ("POST", f"/jobs/v1/{job_id}/cancel"),
                ("DELETE", f"/jobs/v1/{job_id}"),
                ("POST", "/media/v1"),
                ("POST", "/webhooks/v1"),
                ("POST", "/inputs/v1"),
            ):
                refused(reader.request(method, path), 403, "forbidden")
            refusal = reader.post("/whaletools/v1/generate/image", json={"prompt": "a"})
            assert 403 == refusal.status_code
            assert "detail" not in refusal.json(), "the error has the shape of its dialect"

    def test_a_fine_scope_lets_in_its_own_routes(self, api, rows, tenant, server):
        with api.client(make_key(rows, api.settings, tenant, scopes=["jobs:write"])) as client:
            job_id = client.post(IMAGE, json={"prompt": "a"}).json()["job_id"]
            refused(client.get(f"/jobs/v1/{job_id}"), 403, "forbidden")
            refused(client.get("/models/v1"), 403, "forbidden")
            assert ["jobs:write"] == client.get("/me/v1").json()["granted"]


def test_me_says_what_may_be_spent(client, rows, tenant):
    rows.execute(text("UPDATE tenants SET budget_usd = 2, max_running_jobs = 3"))
    rows.submit(tenant, price_usd=0.25)
    me = client.get("/me/v1").json()
    shown = ("budget_usd", "spent_usd", "reserved_usd", "balance_remaining_usd", "max_running_jobs")
    assert (2.0, 0.0, 0.25, 1.75, 3) == tuple(me[name] for name in shown)
