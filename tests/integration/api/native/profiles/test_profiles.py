"""Profiles: kept, changed, removed, and what a job takes of them."""

import pytest
from sqlalchemy import text

ROUTE, IMAGE = "/profiles/v1", "/generate/image/v1"


@pytest.fixture
def keep(client):
    """Keep a profile, and give its answer."""

    def add(**fields):
        answer = client.post(ROUTE, json={"name": "Catalog"} | fields)
        assert 201 == answer.status_code, answer.text
        return answer.json()

    return add


def asked(client, **fields):
    """The parameters of an image job."""
    answer = client.post(IMAGE, json={"prompt": "a chair"} | fields)
    assert 202 == answer.status_code, answer.text
    request = client.get(f"/jobs/v1/{answer.json()['job_id']}/request").json()
    return request.get("params", request)


def test_a_profile_is_kept_listed_changed_and_removed(client, keep):
    first, second = keep(name="One", steps=8), keep(name="Two", tags=["a"])
    assert {"profiles": [second, first], "total": 2} == client.get(ROUTE).json()
    path = f"{ROUTE}/{first['profile_id']}"
    assert first == client.get(path).json()
    changed = client.patch(path, json={"name": "Uno", "steps": None, "width": 512}).json()
    assert ("Uno", None, 512) == (
        changed["name"],
        changed["adapter_snapshot"]["steps"],
        changed["adapter_snapshot"]["width"],
    )
    assert first["updated_at"] < changed["updated_at"]
    assert 204 == client.delete(path).status_code
    assert "unknown_profile" == client.get(path).json()["code"]
    assert "unknown_profile" == client.delete(path).json()["code"]


@pytest.mark.contract("C22")
def test_a_job_has_the_defaults_of_its_profile(client, server, keep):
    snapshot = {"prompt_template": "soft light", "negative_prompt": "blur", "width": 512, "steps": 6}
    profile_id = keep(**snapshot, seed_strategy="fixed", fixed_seed=9)["profile_id"]
    made = asked(client, profile_id=profile_id, width=1024, height=640)
    assert ("a chair, soft light", "blur", 512, 640, 6, 9) == (
        made["prompt"],
        made["negative_prompt"],
        made["width"],
        made["height"],
        made["num_inference_steps"],
        made["seed"],
    )


def test_a_profile_of_another_tenant_is_an_unknown_one(client, stranger, server, keep):
    profile_id = keep()["profile_id"]
    foreign = stranger.get(f"{ROUTE}/{profile_id}")
    unknown = client.get(f"{ROUTE}/prf_{'0' * 32}")
    assert (404, foreign.json()["detail"]) == (foreign.status_code, unknown.json()["detail"])
    refused = stranger.post(IMAGE, json={"prompt": "a chair", "profile_id": profile_id})
    assert (422, "no_such_profile", "$.profile_id") == (
        refused.status_code,
        refused.json()["code"],
        refused.json()["field"],
    )


def test_a_repeat_is_answered_after_its_profile_is_gone(client, server, keep):
    profile_id, headers = keep()["profile_id"], {"Idempotency-Key": "k-1"}
    body = {"prompt": "a chair", "profile_id": profile_id}
    first = client.post(IMAGE, json=body, headers=headers)
    client.delete(f"{ROUTE}/{profile_id}")
    again = client.post(IMAGE, json=body, headers=headers)
    assert (202, first.json()["job_id"]) == (again.status_code, again.json()["job_id"])
    assert "no_such_profile" == client.post(IMAGE, json=body).json()["code"]


def test_a_template_may_make_a_prompt_too_long(client, server, keep):
    profile_id = keep(prompt_template="a" * 3000)["profile_id"]
    refused = client.post(IMAGE, json={"prompt": "b" * 2000, "profile_id": profile_id}).json()
    assert ("out_of_range", "$.prompt") == (refused["code"], refused["field"])


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"name": ""}, "out_of_range", "$.name"),
        ({"name": "a\0"}, "nul_in_text", "$.name"),
        ({"name": "a", "tags": ["b\0"]}, "nul_in_text", "$.tags"),
        ({"name": "a", "width": 8}, "out_of_range", "$.width"),
        ({"name": "a", "color": "red"}, "unknown_field", "$.color"),
        ({}, "missing_field", "$.name"),
    ],
)
def test_a_field_at_fault_is_named(client, fields, code, field):
    refused = client.post(ROUTE, json=fields).json()
    assert (code, field) == (refused["code"], refused["field"])


def test_a_tenant_has_so_many_profiles(client, api, rows, tenant):
    rows.execute(_many(tenant, api.settings.max_profiles))
    assert "too_many_profiles" == client.post(ROUTE, json={"name": "One more"}).json()["code"]


def _many(tenant, count):
    return text(
        "INSERT INTO profiles (id, tenant, name, snapshot) SELECT 'prf_' || n, :tenant, 'n', '{}' "
        "FROM generate_series(1, :count) AS n"
    ).bindparams(tenant=tenant, count=count)
