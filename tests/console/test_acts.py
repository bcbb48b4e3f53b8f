"""The main act of each page, at two sizes, light and dark; what the page shows in the end is looked at, and kept."""

import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from tests.console.conftest import LOOKS, look
from tests.support.service.service import Service
from tests.support.wait import until

pytestmark = pytest.mark.long

Act = Callable[[Any, Service], None]


def sign_out_and_in(page: Any, stack: Service) -> None:
    page.goto("/console/jobs")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").fill(stack.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Console").wait_for()


def make_a_picture(page: Any, stack: Service) -> None:
    page.goto("/console/make/image")
    page.get_by_label("Prompt", exact=False).first.fill("compute=0.3 steps=3 side=64")
    page.get_by_text("Starts at once").wait_for()
    page.get_by_text("Costs").wait_for()
    page.get_by_role("button", name="Make image").click()
    page.locator(".plate img").wait_for()
    assert 64 == page.evaluate("document.querySelector('.plate img').naturalWidth")


def make_a_storyboard(page: Any, stack: Service) -> None:
    """Of two shots, of which one is taken out."""
    page.goto("/console/make/storyboard")
    page.get_by_role("group", name="Shot 1").get_by_label("Prompt").fill("side=64 zoom in")
    page.get_by_role("button", name="Add a shot").click()
    page.get_by_role("group", name="Shot 2").get_by_label("Prompt").fill("pan to the right")
    page.get_by_text("5 jobs by").wait_for()
    page.get_by_role("button", name="Remove shot 2").click()
    page.get_by_text("2 jobs by").wait_for()
    page.get_by_role("button", name="Make storyboard").click()
    page.locator(".plate img").wait_for()


def make_a_chain(page: Any, stack: Service) -> None:
    """A picture and its cut-out; the first step is named after the second one took what it makes."""
    page.goto("/console/make/chain")
    first, second = (page.get_by_role("group", name=f"Step {place}") for place in (1, 2))
    first.get_by_label("Prompt", exact=True).fill("side=64")
    page.get_by_role("button", name="Add a step").click()
    second.get_by_label("Makes", exact=True).select_option("Cut-out")
    second.get_by_label("Image: what a step makes", exact=True).select_option("What step-1 makes")
    first.get_by_label("Name", exact=True).fill("picture")
    second.locator(".files").get_by_text("What picture makes").wait_for()
    page.get_by_role("button", name="Make chain").click()
    page.locator(".plate img").wait_for()
    steps = page.get_by_role("region", name="Steps")
    assert ["picture", "step-2"] == steps.get_by_role("link").all_inner_texts()


def cancel_what_is_selected(page: Any, stack: Service) -> None:
    batch = secrets.token_hex(4)
    job_id = stack.submit("compute=60 steps=600", labels={"batch": batch})
    page.goto(f"/console/jobs?q=label:batch:{batch}")
    page.get_by_text(re.compile(r"^Running \d+ %$")).first.wait_for()
    for key in ("j", "x"):  # a phone has no boxes to check
        page.keyboard.press(key)
    page.get_by_role("button", name="Cancel 1").click()
    assert "cancelled" == stack.ended(job_id).status
    page.get_by_role("row").get_by_text("Cancelled").first.wait_for()


def run_a_failed_job_again(page: Any, stack: Service) -> None:
    """As the new job that it is tied to."""
    failed = stack.submit("fail=broken side=8")
    assert "failed" == stack.ended(failed).status
    page.goto(f"/console/jobs/{failed}")
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: failed not in url)
    page.get_by_role("link", name=failed).wait_for()
    assert [stack.job(failed).redriven_as] == re.findall(r"job_[0-9a-f]+", page.url)


def find_and_tag(page: Any, stack: Service) -> None:
    """Two items by their words, tagged and published together, found by the tag."""
    word = f"mug{secrets.token_hex(4)}"
    for _ in range(2):
        stack.ended(stack.submit(f"side=64 {word}"))
    page.goto("/console/library")
    page.get_by_label("Search the library").fill(word)
    page.keyboard.press("Enter")
    page.get_by_text("2 items shown").wait_for()
    boxes = page.locator(".grid").get_by_role("checkbox")
    for place in range(2):
        boxes.nth(place).check()
    page.get_by_role("button", name="Tag…").click()
    page.get_by_role("dialog").get_by_label("Tag").fill(word)
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    page.get_by_text("2 items tagged").wait_for()
    page.locator(".grid").get_by_role("link", name=word, exact=True).first.click()
    page.get_by_text("2 items shown").wait_for()
    assert f"tag:{word}" == page.get_by_label("Search the library").input_value()


def publish_and_take_back(page: Any, stack: Service) -> None:
    made = stack.submit("side=64 item=1")
    stack.ended(made)
    item = next(one for one in stack.client.get("/media/v1").json()["media"] if one["job_id"] == made)
    page.goto(f"/console/library/{item['media_id']}")
    page.locator("dd").get_by_text("Kept until it is deleted").wait_for()
    page.get_by_label("Tags").fill("mug, spring")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved").wait_for()
    page.get_by_role("button", name="Publish").click()
    link = page.locator("p.mono a").get_attribute("href")
    assert 302 == stack.client.get(link).status_code
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Its page").click()
    opened.value.locator("img").first.wait_for()
    opened.value.close()
    page.get_by_role("button", name="Take back").click()
    page.get_by_role("button", name="Publish").wait_for()
    assert 404 == stack.client.get(link).status_code
    assert ["mug", "spring"] == stack.client.get(f"/media/v1/{item['media_id']}").json()["tags"]


STEPS = [
    {"name": "picture", "modality": "image", "model": "chaos", "prompt": "compute=0.5 steps=5 side=64"},
    {"name": "cutout", "modality": "remove-background", "model": "chaos-cutout", "input_image": "step:picture"},
]


def chain(stack: Service, *steps: dict[str, str]) -> str:
    """Submit a chain; its id."""
    answer = stack.client.post("/chains/v1", json={"steps": steps})
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["chain_id"])


def follow_a_chain(page: Any, stack: Service) -> None:
    """From the list, where its steps wait, to the result of the last one, and the job of the first."""
    chain_id = chain(stack, *STEPS)
    page.goto("/console/chains")
    row = page.get_by_role("article", name=chain_id)
    row.get_by_text("Done").nth(2).wait_for()  # the chain's, and that of each step
    row.get_by_role("link", name="picture, cutout").click()
    page.locator(".plate img").wait_for()
    steps = page.get_by_role("region", name="Steps")
    assert 2 == steps.locator("img").count()
    steps.get_by_role("link", name="picture").click()
    page.get_by_text("Completed", exact=True).wait_for()
    page.go_back()
    page.locator(".plate img").wait_for()


def cancel_a_chain(page: Any, stack: Service) -> None:
    chain_id = chain(stack, STEPS[0] | {"prompt": "compute=60 steps=600"}, STEPS[1])
    page.goto(f"/console/chains/{chain_id}")
    page.get_by_text("Waits for picture").wait_for()
    page.get_by_text(re.compile(r"^Running \d+ %$")).first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("What was made before stays.").wait_for()
    assert "cancelled" == stack.client.get(f"/chains/v1/{chain_id}").json()["status"]


def add_an_endpoint(page: Any, stack: Service) -> None:
    """Tested, and removed again."""
    page.goto("/console/webhooks")
    page.get_by_role("button", name="Add an endpoint").click()
    page.get_by_role("dialog").get_by_label("URL").fill("https://shop.example/hooks")
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    assert page.locator("[data-secret]").inner_text().startswith("whsec_")
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("button", name="Test").click()
    page.locator(".deliveries li").first.wait_for()
    page.get_by_role("button", name="Remove…").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.get_by_text("No endpoints yet").wait_for()
    assert [] == stack.client.get("/webhooks/v1").json()["webhooks"]


def read_the_usage(page: Any, stack: Service) -> None:
    stack.ended(stack.submit("side=8"))
    until(lambda: stack.client.get("/usage/v1?step=all").json()["usage"], 90, "the sums, which are added up every 30 s")
    page.goto("/console/usage")
    page.get_by_role("cell", name="chaos", exact=True).wait_for()
    page.locator("td", has_text=re.compile("^≤ ")).nth(1).wait_for(state="attached")  # a phone has no room for them
    page.get_by_role("button", name="Server").click()
    page.get_by_role("cell", name="gpu-1", exact=True).wait_for()
    page.get_by_role("button", name="As numbers").first.click()
    page.get_by_role("region", name="Jobs a day as numbers").wait_for()
    link = page.get_by_role("link", name="CSV").get_attribute("href")
    assert "server_id" in stack.client.get(link).text.splitlines()[0]


def make_and_revoke_a_key(page: Any, stack: Service) -> None:
    """It is shown once, and may what was chosen."""
    name = f"Shop {secrets.token_hex(4)}"
    page.goto("/console/keys")
    page.get_by_role("button", name="Make a key").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill(name)
    page.get_by_role("dialog").get_by_label("It may").select_option("read")
    page.get_by_role("dialog").get_by_role("button", name="Make").click()
    key = page.locator("[data-secret]").inner_text()
    assert ["read"] == stack.client.get("/me/v1", headers={"X-API-Key": key}).json()["scopes"]
    page.get_by_role("button", name="I have it").click()
    row = page.get_by_role("row").filter(has_text=name)
    row.get_by_role("button", name="Revoke…").click()
    assert page.get_by_role("dialog").get_by_role("button", name="Revoke").is_disabled()
    page.get_by_role("dialog").get_by_role("textbox").fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    row.get_by_text("revoked").wait_for()
    assert 401 == stack.client.get("/me/v1", headers={"X-API-Key": key}).status_code
    assert key not in page.content()


def drain_a_server(page: Any, stack: Service) -> None:
    """Its jobs wait, and are named above all else, until it takes jobs again; then it is cordoned, and no more."""
    page.goto("/console/servers")
    page.get_by_role("button", name="Drain").click()
    page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    page.get_by_role("button", name="Uncordon").wait_for()
    assert "draining" == server(stack)["desired"]
    waiting = stack.submit("side=8")
    page.get_by_text("Jobs cannot run").wait_for()
    page.get_by_text("every server that has it is cordoned or draining").wait_for()
    page.get_by_role("button", name="Uncordon").click()
    page.get_by_role("button", name="Cordon").wait_for()
    assert "completed" == stack.ended(waiting).status
    page.get_by_role("button", name="Cordon").click()
    until(lambda: server(stack)["desired"] == "cordoned", 10, "the server to be cordoned")
    page.get_by_role("button", name="Uncordon").click()
    until(lambda: server(stack)["desired"] == "active", 10, "the server to take jobs")


def load_and_unload_a_model(page: Any, stack: Service) -> None:
    page.goto("/console/servers/gpu-1")
    page.get_by_role("button", name="Preload…").click()
    page.get_by_role("dialog").get_by_label("Model").select_option("chaos-two")
    page.get_by_role("dialog").get_by_role("button", name="Load").click()
    until(lambda: "chaos-two" in server(stack)["resident"], 30, "the model")
    page.locator(".key").get_by_text("chaos-two").wait_for()
    page.get_by_role("button", name="Unload…").click()
    page.get_by_role("dialog").get_by_label("Model").select_option("chaos-two")
    page.get_by_role("dialog").get_by_role("button", name="Unload").click()
    until(lambda: "chaos-two" not in server(stack)["resident"], 30, "the model to go")


def make_with_a_model(page: Any, stack: Service) -> None:
    page.goto("/console/models")
    page.get_by_role("button", name="Speech").click()
    page.get_by_role("row").filter(has_text="chaos-speech").get_by_role("link", name="Make").click()
    page.wait_for_url("**/console/make/speech?model=chaos-speech")
    page.get_by_label("Text", exact=False).first.wait_for()


ACTS: dict[str, Act] = {
    "sign-in": sign_out_and_in,
    "make": make_a_picture,
    "storyboard": make_a_storyboard,
    "make-chain": make_a_chain,
    "jobs": cancel_what_is_selected,
    "job": run_a_failed_job_again,
    "library": find_and_tag,
    "item": publish_and_take_back,
    "chains": follow_a_chain,
    "chain": cancel_a_chain,
    "webhooks": add_an_endpoint,
    "usage": read_the_usage,
    "keys": make_and_revoke_a_key,
    "servers": drain_a_server,
    "server": load_and_unload_a_model,
    "models": make_with_a_model,
}
"""What each page is there for, by the page."""


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("name", ACTS)
def test_a_page_does_what_it_is_there_for(name, width, scheme, open_page, stack, violations):
    page = open_page("", width, scheme)
    ACTS[name](page, stack)
    look(page, f"act-{name}", width, scheme, violations)


def server(stack: Service) -> dict[str, Any]:
    (found,) = stack.client.get("/servers/v1").json()["servers"]
    return dict(found)
