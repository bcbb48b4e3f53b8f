"""Looking after what is there: servers, keys, webhooks, jobs and the library, by what the page does and what it did.

Each at two sizes, one light and one dark; what a page shows at the end of its act is without violations, too.
"""

import re

import pytest

from tests.console.conftest import look
from tests.support.wait import until

pytestmark = pytest.mark.long


@pytest.fixture(params=[(1440, "light"), (390, "dark")], ids=["1440-light", "390-dark"])
def open_page(open_page, violations, request):
    """The opener of pages of one size and theme; the last one that a test has opened is looked at in its end."""
    width, scheme = request.param
    opened = []

    def opener(*arguments, **fields):
        opened.append(open_page(*arguments, width=width, scheme=scheme, **fields))
        return opened[-1]

    yield opener
    look(opened[-1], f"act-{request.node.originalname.removeprefix('test_')}", width, scheme, violations)


def test_a_server_is_drained_and_takes_jobs_again(open_page, stack, violations):
    page = open_page("/servers")
    page.get_by_role("button", name="Drain").click()
    assert [] == violations(page)
    page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    page.get_by_role("button", name="Uncordon").wait_for()
    assert "draining" == server(stack)["desired"]
    waiting = stack.submit("side=8")
    page.get_by_text("Jobs cannot run").wait_for()
    page.get_by_role("button", name="Uncordon").click()
    page.get_by_role("button", name="Cordon").wait_for()
    assert "completed" == stack.ended(waiting).status
    page.get_by_role("button", name="Cordon").click()
    until(lambda: server(stack)["desired"] == "cordoned", 10, "the server to be cordoned")
    page.get_by_role("button", name="Uncordon").click()
    until(lambda: server(stack)["desired"] == "active", 10, "the server to take jobs")


def test_a_model_is_loaded_and_unloaded(open_page, stack, violations):
    page = open_page("/servers")
    page.get_by_role("button", name="Preload…").click()
    assert [] == violations(page)
    page.get_by_role("dialog").get_by_label("Model").select_option("chaos-two")
    page.get_by_role("dialog").get_by_role("button", name="Load").click()
    until(lambda: "chaos-two" in server(stack)["resident"], 30, "the model")
    page.locator(".key").get_by_text("chaos-two").wait_for()
    page.get_by_role("button", name="Unload…").click()
    page.get_by_role("dialog").get_by_label("Model").select_option("chaos-two")
    page.get_by_role("dialog").get_by_role("button", name="Unload").click()
    until(lambda: "chaos-two" not in server(stack)["resident"], 30, "the model to go")


def test_an_engine_is_replaced(open_page, stack):
    stack.ended(stack.submit("side=8"))
    until(lambda: server(stack)["resident"], 10, "its model to be in memory")
    page = open_page("/servers")
    page.get_by_role("button", name="Recycle").click()
    page.get_by_role("dialog").get_by_role("button", name="Recycle").click()
    page.get_by_text("Taken", exact=True).wait_for()
    page.get_by_text("No model in memory").wait_for()
    assert [] == server(stack)["resident"]


def test_a_failed_job_is_run_again(open_page, stack):
    """From its page, and with others from the list; each new job is tied to the failed one."""
    failed = [stack.submit("fail=broken side=8", labels={"run": "again"}) for _ in range(2)]
    for job_id in failed:
        assert "failed" == stack.ended(job_id).status
    page = open_page(f"/jobs/{failed[0]}")
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda url: failed[0] not in url)
    page.get_by_role("link", name=failed[0]).wait_for()
    assert [stack.job(failed[0]).redriven_as] == re.findall(r"job_[0-9a-f]+", page.url)
    page.goto("/console/jobs?q=label:run:again error:pipeline_failed&state=failed")
    rows = page.get_by_role("row")
    rows.filter(has_text="fail=broken").nth(1).wait_for()
    for key in ("j", "x", "j", "x"):  # a phone has no boxes to check
        page.keyboard.press(key)
    page.get_by_role("button", name="Run again").click()
    until(lambda: stack.job(failed[1]).redriven_as, 10, "the other one to be redriven")


def test_usage_is_shown_by_what_it_is_of(open_page, stack):
    stack.ended(stack.submit("side=8"))
    until(lambda: stack.client.get("/usage/v1?step=all").json()["usage"], 90, "the sums, which are added up every 30 s")
    page = open_page("/usage")
    page.get_by_role("cell", name="chaos", exact=True).wait_for()
    page.locator("td", has_text=re.compile("^≤ ")).nth(1).wait_for(state="attached")  # a phone has no room for them
    page.get_by_role("button", name="Server").click()
    page.get_by_role("cell", name="gpu-1", exact=True).wait_for()
    page.get_by_role("button", name="As numbers").first.click()
    page.get_by_role("region", name="Jobs a day as numbers").wait_for()
    link = page.get_by_role("link", name="CSV").get_attribute("href")
    assert "server_id" in stack.client.get(link).text.splitlines()[0]


def test_a_model_is_found_and_made_with(open_page):
    page = open_page("/models")
    page.get_by_role("button", name="Speech").click()
    page.get_by_role("row").filter(has_text="chaos-speech").get_by_role("link", name="Make").click()
    page.wait_for_url("**/console/make/speech?model=chaos-speech")
    page.get_by_label("Text", exact=False).first.wait_for()


def test_a_key_is_made_shown_once_and_revoked(open_page, stack, violations):
    page = open_page("/keys")
    page.get_by_role("button", name="Make a key").click()
    assert [] == violations(page)
    page.get_by_role("dialog").get_by_label("Name").fill("Shop window")
    page.get_by_role("dialog").get_by_label("It may").select_option("read")
    page.get_by_role("dialog").get_by_role("button", name="Make").click()
    key = page.locator("[data-secret]").inner_text()
    assert ["read"] == stack.client.get("/me/v1", headers={"X-API-Key": key}).json()["scopes"]
    page.get_by_role("button", name="I have it").click()
    row = page.get_by_role("row").filter(has_text="Shop window")
    row.get_by_role("button", name="Revoke…").click()
    assert page.get_by_role("dialog").get_by_role("button", name="Revoke").is_disabled()
    page.get_by_role("dialog").get_by_role("textbox").fill("Shop window")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    row.get_by_text("revoked").wait_for()
    assert 401 == stack.client.get("/me/v1", headers={"X-API-Key": key}).status_code
    assert key not in page.content()


def test_an_endpoint_is_added_tested_and_removed(open_page, stack):
    page = open_page("/webhooks")
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


@pytest.mark.parametrize("open_page", [(1440, "light")], indirect=True, ids=["1440-light"])
def test_what_is_selected_is_deleted_together(open_page, stack):
    jobs = [stack.submit("side=8", labels={"batch": "one"}) for _ in range(3)]
    for job_id in jobs:
        stack.ended(job_id)
    page = open_page("/jobs?q=label:batch:one")
    page.get_by_role("checkbox").nth(2).wait_for()
    for place in range(3):
        page.get_by_role("checkbox").nth(place).check()
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("No job is like this").wait_for()
    assert {404} == {stack.client.get(f"/jobs/v1/{job_id}").status_code for job_id in jobs}


def test_an_item_is_tagged_published_and_taken_back(open_page, stack):
    stack.ended(stack.submit("side=8 item=1"))
    page = open_page("/library")
    page.locator(".grid a.thumb").first.click()
    tag = f"spring-{page.viewport_size['width']}"
    page.get_by_label("Tags").fill(f"mug, {tag}")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved").wait_for()
    page.get_by_role("button", name="Publish").click()
    link = page.locator("p.mono a").get_attribute("href")
    assert 302 == stack.client.get(link).status_code
    page.get_by_role("button", name="Take back").click()
    page.get_by_role("button", name="Publish").wait_for()
    assert 404 == stack.client.get(link).status_code
    page.goto(f"/console/library?q=tag:{tag}")
    page.get_by_text("1 item shown").wait_for()


def test_a_key_that_may_look_sees_nothing_to_change(open_page, stack):
    key = stack.client.post("/keys/v1", json={"name": "Look", "scopes": ["read"]}).json()["key"]
    job_id = stack.submit("side=8")
    stack.ended(job_id)
    for path, unwanted in {
        "/make/image": "Make image",
        f"/jobs/{job_id}": "Delete",
        "/servers": "Drain",
        "/keys": "Make a key",
        "/webhooks": "Add an endpoint",
        "/library": "Bring files",
    }.items():
        page = open_page(path, key=key)
        page.locator("main h1").wait_for()
        page.wait_for_load_state("networkidle")
        assert 0 == page.get_by_role("button", name=unwanted).count(), path


def test_the_keyboard_is_enough(open_page):
    page = open_page("/make/image")
    page.locator("main h1").wait_for()
    page.locator("main h1").click()
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url("**/console/jobs")
    page.get_by_role("heading", name="Jobs").wait_for()
    page.keyboard.press("/")
    page.locator("input[type=search]:focus").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Go to").fill("servers")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/servers")


def server(stack):
    (found,) = stack.client.get("/servers/v1").json()["servers"]
    return found
