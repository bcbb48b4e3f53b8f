"""Where the operator wants a mark and limits requests: the entitlement, and the headers of the rate."""

import httpx
import msgspec
import pytest
import videogen

from jobs.scopes import UNMARKED
from tests.support.service.api_server import make_key

PROMPT = "a serene garden"


@pytest.fixture(scope="module")
def settings(settings):
    return msgspec.structs.replace(settings, watermark=True, rate_limit=0.01, rate_burst=5)


def mark_of(client, started):
    execution = started["tool_execution_id"].replace("vg_exec", "job")
    return client.get(f"/jobs/v1/{execution}/request").json()["params"].get("watermark", "auto")


@pytest.mark.contract("D6")
def test_without_the_entitlement_none_is_403(vg, client, server, refused):
    error = refused(vg.tools.generate_image, prompt=PROMPT, watermark_mode="NONE")
    assert (403, "not_authorized", {"type": "purchase_add_on", "details": {"scope": "unmarked"}}) == (
        error.status,
        error.body["code"],
        error.body["requirement"],
    )
    assert "`watermarkMode`" in str(error)
    assert "always" == mark_of(client, vg.tools.generate_image(prompt=PROMPT))
    native = client.post("/generate/image/v1", json={"prompt": PROMPT, "watermark": "never"})
    assert (403, "not_entitled", "$.watermark") == (native.status_code, native.json()["code"], native.json()["field"])


def test_with_the_entitlement_nothing_is_marked(api, rows, tenant, client, server):
    key = make_key(rows, api.settings, tenant, scopes=[UNMARKED])
    with videogen.VideoGen(api_key=key, base_url=f"{api.url}/videogen") as vg:
        started = [vg.tools.generate_image(prompt=PROMPT, watermark_mode=mode) for mode in ("NONE", "AUTO")]
    assert ["never", "auto"] == [mark_of(client, one) for one in started]


@pytest.mark.contract("D41")
def test_the_rate_is_in_headers_and_then_429(api, key):
    answers = [httpx.get(f"{api.url}/videogen/v1/me", headers={"Authorization": f"Bearer {key}"}) for _ in range(6)]
    assert [200] * 5 + [429] == [answer.status_code for answer in answers]
    assert ["5", "4"] == [answers[0].headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining")]
    last = answers[-1]
    assert ("rate_limited", None) == (last.json()["code"], last.json()["requirement"])
    assert {"retry-after", "x-ratelimit-reset"} <= set(last.headers)
