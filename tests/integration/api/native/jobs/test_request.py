"""GET /jobs/v1/{job_id}/request: what a job was asked for."""

from sqlalchemy import text


def test_the_fields_of_the_submit(client, create, tenant):
    answer = client.get(f"/jobs/v1/{create(prompt='a star', width=64, server_id=None)}/request").json()
    assert ("a star", 64) == (answer["params"]["prompt"], answer["params"]["width"])
    assert (tenant, "image", "chaos") == (answer["tenant_id"], answer["modality"], answer["model"])
    assert answer["callback_url"] is None


def test_the_tenant_has_the_name_that_commands_take(client, create, tenant, rows):
    (name,) = [row.name for row in rows.execute(text("SELECT name FROM tenants WHERE id = :id").bindparams(id=tenant))]
    answer = client.get(f"/jobs/v1/{create()}/request").json()
    assert (name, tenant) == (answer["tenant"], answer["tenant_id"])
    assert name != tenant


def test_a_removed_prompt_is_null(client, create, rows):
    job_id = create()
    rows.execute(text("UPDATE jobs SET params = '{}'"))
    assert client.get(f"/jobs/v1/{job_id}/request").json()["params"] is None


def test_a_job_of_another_tenant_is_unknown(client, stranger, create):
    answer = stranger.get(f"/jobs/v1/{create()}/request")
    assert (404, "unknown_job") == (answer.status_code, answer.json()["code"])
    assert 404 == client.get("/jobs/v1/nothing/request").status_code


def test_the_picture_has_its_documented_name(client, all_models):
    body = {"image_path": "https://shop.example/chair.jpg"}
    job_id = client.post("/generate/3d/v1", json=body).json()["job_id"]
    params = client.get(f"/jobs/v1/{job_id}/request").json()["params"]
    assert ("https://shop.example/chair.jpg", False) == (params["input_image"], "image_path" in params)
