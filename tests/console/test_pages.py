"""Every page at two sizes, light and dark: no fault, nothing beside the screen, no violation; and a screenshot."""

import pytest

from tests.console.conftest import LOOKS, look
from tests.support.wait import until

PAGES = {
    "make": "/make/image",
    "make-speech": "/make/speech",
    "make-storyboard": "/make/storyboard",
    "make-chain": "/make/chain",
    "jobs": "/jobs",
    "job": "/jobs/{job_id}",
    "chains": "/chains",
    "chain": "/chains/{chain_id}",
    "library": "/library",
    "item": "/library/{media_id}",
    "webhooks": "/webhooks",
    "usage": "/usage",
    "keys": "/keys",
    "servers": "/servers",
    "server": "/servers/gpu-1",
    "models": "/models",
}

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def job_id(stack):
    made = stack.submit("side=256 compute=0.2 steps=2", labels={"campaign": "spring"})
    stack.ended(made)
    stack.client.post("/webhooks/v1", json={"url": "https://shop.example/hooks"})
    return made


@pytest.fixture(scope="module")
def chain_id(stack):
    steps = [{"modality": "image", "model": "chaos", "prompt": "fail=broken side=8"}]
    made = stack.client.post("/chains/v1", json={"steps": steps}).json()["chain_id"]
    until(lambda: stack.client.get(f"/chains/v1/{made}").json()["status"] == "failed", 30, "the chain to fail")
    return made


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_looks_as_it_should(open_page, violations, stack, job_id, chain_id, width, scheme):
    page = open_page("", width, scheme, key="")
    look(page, "sign-in", width, scheme, violations)
    page = open_page("", width, scheme)
    (item,) = stack.client.get("/media/v1").json()["media"]
    for name, path in PAGES.items():
        page.goto(f"/console{path.format(job_id=job_id, chain_id=chain_id, media_id=item['media_id'])}")
        page.locator("main h1").wait_for()
        page.wait_for_load_state("networkidle")
        look(page, name, width, scheme, violations)
