"""Every refusal is in VideoGen's shape, with its statuses and codes."""

import httpx
import pytest
import videogen

PATH = "/v1/tools/generate-image"
KEYS = {"message", "code", "requirement", "internalErrorCode"}


@pytest.fixture
def send(api, key):
    def call(path=PATH, method="POST", authorization=f"Bearer {key}", **request):
        headers = {"Authorization": authorization} if authorization else {}
        answer = httpx.request(method, f"{api.url}/videogen{path}", headers=headers, **request)
        assert KEYS == set(answer.json()), answer.text
        assert "application/json" == answer.headers["content-type"]
        return answer.status_code, answer.json()["code"], answer.json()["message"]

    return call


@pytest.mark.contract("D40")
@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b"", "invalid_request", ""),
        (b"{", "invalid_request", ""),
        (b"[]", "invalid_request", ""),
        (b"{}", "invalid_parameters", "`prompt`"),
        (b'{"prompt": 3}', "invalid_parameters", "`prompt`"),
        (b'{"prompt": ""}', "invalid_parameters", "`prompt`"),
        (b'{"prompt": "a", "numResults": 0}', "invalid_parameters", "`numResults`"),
        (b'{"prompt": "a", "numResults": 101}', "invalid_parameters", "`numResults`"),
        (b'{"prompt": "a", "aspectRatio": "16:9"}', "invalid_parameters", "`aspectRatio`"),
        (b'{"prompt": "a", "aspectRatio": {"width": 0, "height": 9}}', "invalid_parameters", "`aspectRatio.width`"),
        (b'{"prompt": "a", "watermarkMode": "OFF"}', "invalid_parameters", "`watermarkMode`"),
        (b'{"prompt": "a", "imageFileIds": ["nothing"]}', "invalid_id", "vg_file_"),
        (b'{"prompt": "a", "imageFileIds": ["a", "b", "c", "d", "e"]}', "invalid_parameters", "`imageFileIds`"),
        (b'{"prompt": "a\\u0000b"}', "invalid_parameters", "`prompt`"),
    ],
)
def test_a_wrong_body_is_400_and_names_the_field(send, server, body, code, named):
    status, found, message = send(content=body)
    assert (400, code) == (status, found)
    assert named in message


def test_a_key_is_missing_or_invalid(send):
    assert (401, "missing_api_key") == send(authorization=None, json={})[:2]
    assert (401, "invalid_api_key") == send(authorization="Bearer atl_wrong", json={})[:2]


def test_what_has_no_route_has_the_shape(send):
    assert (404, "not_found") == send("/v1/nothing", "GET")[:2]
    assert 405 == send("/v1/me", "DELETE")[0]
    assert (404, "not_found") == send("/v1/tools/generate-poetry", json={})[:2]


def test_without_a_server_a_tool_is_503(vg, refused):
    error = refused(vg.tools.generate_image, prompt="a")
    assert (503, "unavailable", "no_model_available") == (
        error.status,
        error.body["code"],
        error.body["internal_error_code"],
    )


def test_a_spent_budget_is_429(vg, refused, rows, tenant, server, api):
    from jobs.statements.api_keys import set_budget

    rows.execute(set_budget(tenant, 0))
    error = refused(vg.tools.generate_image, prompt="a")
    assert (429, "insufficient_credits") == (error.status, error.body["code"])
    assert error.request_id.startswith("req_")


def test_native_routes_keep_their_shape(client):
    assert "/problems/not_found" == client.get("/v1/nothing").json()["type"]


def test_the_error_is_what_the_client_says(vg, refused):
    assert isinstance(refused(vg.tools.generate_image, prompt=""), videogen.VideoGenError)
