"""ImagePipeline's calls: what each becomes, and how its job is shown."""

import pytest

from api.dialects.imagepipeline.translate import OTHER_BACKGROUND, OTHER_FACE
from tests.support.rows.rows import ARTIFACT

BASE = "/imagepipeline"
PICTURE = "https://shop.example/chair.png"
LOGO = "https://shop.example/logo.png"


@pytest.fixture
def call(client, all_models):
    """Send a call, and give its answer with the native request of its job."""

    def send(endpoint, **fields):
        answer = client.post(f"{BASE}/{endpoint}", json=fields)
        assert 202 == answer.status_code, answer.text
        request = client.get(f"/jobs/v1/{answer.json()['job_id']}/request").json()
        return answer.json(), request.get("params", request)

    return send


def show(client, endpoint, job_id):
    answer = client.get(f"{BASE}/{endpoint}/status/{job_id}")
    assert 200 == answer.status_code, answer.text
    return answer.json()


def test_a_submit_answers_in_the_clients_words(call):
    answer, _ = call("generate/image/v1", prompt="a red circle", a_new_field=1)
    assert {"job_id", "status", "endpoint", "estimated_time_seconds", "queued_at"} == answer.keys()
    assert ("queued", "generate/image/v1") == (answer["status"], answer["endpoint"])
    assert isinstance(answer["estimated_time_seconds"], int)


def test_a_completed_job_has_numbers_and_a_link(client, server, worker):
    job_id = client.post(f"{BASE}/generate/image/v1", json={"prompt": "a red circle"}).json()["job_id"]
    waiting = show(client, "generate/image/v1", job_id)
    assert ("queued", 0, 1, None) == (
        waiting["status"],
        waiting["progress"],
        waiting["queue_position"],
        waiting["result_url"],
    )
    worker.complete(worker.claim(), ARTIFACT)
    done = show(client, "generate/image/v1", job_id)
    assert ("completed", 100, "image/webp") == (done["status"], done["progress"], done["result_mime_type"])
    assert f"/o/{job_id}/0.webp?signature=" in done["result_url"]
    assert (None, None, None) == (done["error"], done["failure_reason_code"], done["retryable"])
    assert 0 <= done["queue_wait_seconds"] <= done["total_elapsed_seconds"]
    assert 0 == done["cost_usd"]


def test_a_cancelled_job_is_a_failed_one(client, server):
    job_id = client.post(f"{BASE}/generate/image/v1", json={"prompt": "a red circle"}).json()["job_id"]
    assert 200 == client.post(f"/jobs/v1/{job_id}/cancel").status_code
    ended = show(client, "generate/image/v1", job_id)
    assert ("failed", "CANCELLED", "CANCELLED", False) == (
        ended["status"],
        ended["failure_reason_code"],
        ended["error_code"],
        ended["retryable"],
    )
    assert isinstance(ended["error"], str)


@pytest.mark.parametrize(
    ("endpoint", "fields", "expected"),
    [
        (
            "edit/image/v1",
            {"prompt": "in velvet", "input_image": [PICTURE, LOGO], "mode": "anime", "faster_inference": False},
            {"input_image": None, "reference_images": [PICTURE, LOGO], "prompt": "in velvet, in anime style"},
        ),
        (
            "edit/image/v1",
            {"prompt": "in velvet", "input_image": PICTURE, "width": 2048, "height": 1024},
            {"width": 1024, "height": 512, "quality": "fast"},
        ),
        (
            "background/change/image/v1",
            {"prompt": "a beach", "input_image": PICTURE, "subject_description": "chair", "palette": ["#FF5733"]},
            {"subject_image": PICTURE, "prompt": "a beach", "palette": ["#FF5733"]},
        ),
        (
            "background/change/image/v1",
            {"prompt": "a beach", "input_image": PICTURE, "use_segmentation": False},
            {"subject_image": None, "reference_images": [PICTURE], "prompt": OTHER_BACKGROUND.format(prompt="a beach")},
        ),
        (
            "edit/image/v1",
            {"prompt": "a beach", "input_image": [PICTURE, LOGO], "mask_segment": "background"},
            {"subject_image": PICTURE, "reference_images": [LOGO], "prompt": "a beach"},
        ),
        (
            "identity/faceswap/image/v1",
            {"source": LOGO, "target": PICTURE},
            {"reference_images": [PICTURE, LOGO], "prompt": OTHER_FACE},
        ),
        (
            "background/remove/image/v1",
            {"input_image": PICTURE, "recolor": "F0F", "drop_shadow": True, "output_format": "jpeg"},
            {"background_color": "#FF00FF", "keep_cutout": True, "drop_shadow": True, "output_format": "jpeg"},
        ),
        (
            "upscale/image/v1",
            {"input_image": PICTURE, "scale": 1.5, "output_format": "png"},
            {"input_image": PICTURE, "scale": 2, "output_format": "png"},
        ),
        ("upscale/image/v1", {"input_image": PICTURE}, {"scale": 4, "method": "realesrgan"}),
        (
            "branding/logo/image/v1",
            {"input_image": PICTURE, "logo_url": LOGO, "position": "top_left"},
            {"input_image": PICTURE, "logo_url": LOGO, "logo_position": "top_left"},
        ),
        (
            "branding/template/image/v1",
            {"input_image": PICTURE, "palette_mode": "radical", "position": "top_left"},
            {"prompt": "clean professional studio background", "palette_mode": "radical", "subject_image": PICTURE},
        ),
        (
            "creator/tryon/image/v1",
            {"person_image": PICTURE, "clothing_image": LOGO},
            {"reference_images": [PICTURE, LOGO], "width": 680, "height": 1024},
        ),
        (
            "identity/voice/clone/v1",
            {"text": "Hello.", "reference_voice_url": "https://shop.example/anna.wav"},
            {"target_voice_path": "https://shop.example/anna.wav", "text": "Hello."},
        ),
        ("generate/3d/v1", {"image_path": PICTURE, "mode": "generate_and_paint"}, {"mode": "generate_and_paint"}),
    ],
)
def test_each_call_becomes_the_parameters_of_a_job(call, endpoint, fields, expected):
    _, params = call(endpoint, **fields)
    assert expected == {name: params[name] for name in expected}


def test_what_is_not_passed_on_is_a_warning(client, call):
    fields = {"prompt": "in velvet", "input_image": PICTURE, "refine_strength": 0.2, "width": 2048, "height": 2048}
    answer, _ = call("edit/image/v1", **fields)
    warnings = show(client, "edit/image/v1", answer["job_id"])["warnings"]
    assert ["1024", "refine"] == [word for word in ("1024", "refine") if any(word in w for w in warnings)]


def test_a_status_of_another_call_does_not_exist(client, call):
    answer, _ = call("generate/image/v1", prompt="a red circle")
    refused = client.get(f"{BASE}/generate/video/v1/status/{answer['job_id']}")
    assert (404, "NOT_FOUND") == (refused.status_code, refused.json()["error_code"])


@pytest.mark.parametrize(
    ("endpoint", "fields", "capability"),
    [
        ("upscale/image/v1", {"input_image": PICTURE}, "upscaling"),
        ("segment/image/v1", {"image_url": PICTURE}, "segmentation"),
        ("identity/faceswap/image/v1", {"source": LOGO, "target": PICTURE}, "image editing with reference images"),
        ("edit/image/v1", {"prompt": "p", "input_image": PICTURE, "mask_segment": "hat"}, "editing of one segment"),
        ("edit/image/v1", {"prompt": "p", "input_image": PICTURE}, "image editing with reference images"),
        ("creator/instamodel/image/v1", {"prompt": "p", "input_face": PICTURE}, "image editing with reference images"),
        ("background/remove/image/v1", {"input_image": PICTURE}, "background removal"),
        ("background/change/image/v1", {"input_image": PICTURE, "prompt": "p"}, "remove-background"),
        ("generate/image/v1", {"prompt": "p", "enhance_prompt": True}, "text"),
    ],
)
def test_what_no_served_model_can_do_says_so(client, server, endpoint, fields, capability):
    refused = client.post(f"{BASE}/{endpoint}", json=fields)
    assert (422, "NO_MODEL_AVAILABLE") == (refused.status_code, refused.json()["error_code"]), refused.text
    assert ("no_capable_model", capability) == (refused.json()["code"], refused.json()["capability"])
    assert refused.json()["message"]


@pytest.mark.parametrize(
    ("fields", "error_code", "field"),
    [
        ({}, "INVALID_PARAMETERS", "prompt"),
        ({"prompt": 3}, "INVALID_PARAMETERS", "prompt"),
        ({"prompt": "p", "width": 5000}, "INVALID_PARAMETERS", "width"),
        ({"prompt": "p", "profile_id": "prf_unknown"}, "INVALID_PARAMETERS", "profile_id"),
        ({"prompt": "p", "callback_url": "http://127.0.0.1/"}, "INVALID_PARAMETERS", "callback_url"),
    ],
)
def test_a_bad_field_is_named_in_the_clients_shape(client, server, fields, error_code, field):
    refused = client.post(f"{BASE}/generate/image/v1", json=fields)
    body = refused.json()
    assert (422, error_code, field) == (refused.status_code, body["error_code"], body["field"])
    assert body["message"] == body["detail"][0]["msg"]


@pytest.mark.parametrize(
    ("endpoint", "fields", "field"),
    [
        ("edit/image/v1", {"prompt": "p", "input_image": [PICTURE, "inp_unknown"]}, "input_image[1]"),
        ("edit/image/v1", {"prompt": "p", "input_image": PICTURE, "width": 2049}, "width"),
        ("background/change/image/v1", {"prompt": "p", "input_image": "inp_unknown"}, "input_image"),
        ("background/remove/image/v1", {"input_image": "inp_unknown"}, "input_image"),
        ("creator/tryon/image/v1", {"person_image": PICTURE, "clothing_image": "inp_unknown"}, "clothing_image"),
        ("identity/faceswap/image/v1", {"source": "inp_unknown", "target": PICTURE}, "source"),
        ("identity/voice/clone/v1", {"text": "Hi.", "reference_voice_url": "inp_unknown"}, "reference_voice_url"),
    ],
)
def test_a_field_has_the_name_that_the_call_has_for_it(client, all_models, endpoint, fields, field):
    refused = client.post(f"{BASE}/{endpoint}", json=fields)
    body = refused.json()
    assert (422, "INVALID_PARAMETERS", field) == (refused.status_code, body["error_code"], body["field"]), body


def test_errors_of_the_framework_have_the_clients_shape(api, client):
    with api.client() as anonymous:
        assert "UNAUTHORIZED" == anonymous.post(f"{BASE}/generate/image/v1", json={}).json()["error_code"]
    unknown = client.get(f"{BASE}/nothing")
    assert (404, "NOT_FOUND") == (unknown.status_code, unknown.json()["error_code"])


def test_a_repeat_with_the_same_key_is_the_same_job(client, server):
    headers = {"Idempotency-Key": "k-1"}
    first, second = (client.post(f"{BASE}/generate/image/v1", json={"prompt": "p"}, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert "true" == second.headers["Idempotency-Replayed"]


def test_what_another_tenant_has_is_as_an_unknown_one(client, stranger, call):
    job_id = call("generate/image/v1", prompt="a red circle")[0]["job_id"]
    profile_id = client.post(f"{BASE}/profiles/v1", json={"name": "Catalog"}).json()["profile_id"]
    for path, own, unknown in (
        ("generate/image/v1/status/", job_id, f"job_{'0' * 32}"),
        ("profiles/v1/", profile_id, f"prf_{'0' * 32}"),
    ):
        foreign, missing = (stranger.get(f"{BASE}/{path}{name}") for name in (own, unknown))
        assert (404, "NOT_FOUND") == (foreign.status_code, foreign.json()["error_code"])
        assert without_id(missing) == without_id(foreign)
    refused = stranger.post(f"{BASE}/generate/image/v1", json={"prompt": "p", "profile_id": profile_id})
    assert (422, "INVALID_PARAMETERS", "profile_id") == (
        refused.status_code,
        refused.json()["error_code"],
        refused.json()["field"],
    )


def without_id(answer):
    return {name: value for name, value in answer.json().items() if name != "request_id"}


def test_a_form_is_a_body_of_uploads_alone(client, server):
    body = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na cat\r\n--x--\r\n'
    refused = client.post(f"{BASE}/generate/image/v1", content=body, headers={"Content-Type": "application/json"})
    assert (400, "INVALID_PARAMETERS", "invalid_json") == (
        refused.status_code,
        refused.json()["error_code"],
        refused.json()["code"],
    )


def test_the_account_lists_what_can_be_done(client, all_models):
    account = client.get(f"{BASE}/v1/user/details").json()
    assert ("self-hosted", None) == (account["plan"], account["balance_remaining_usd"])
    assert "background/remove/image/v1" in account["allowed_operations"]
    assert "identity/faceswap/image/v1" in account["allowed_operations"]


def test_the_schema_of_callbacks_is_public_knowledge(client):
    schema = client.get(f"{BASE}/webhooks/event-schema").json()
    (body,) = schema["$defs"].values()
    assert {"job_id", "user_id", "status", "timestamp"} == set(body["required"])
