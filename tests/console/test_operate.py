"""Looking after what is there: servers, keys, webhooks, jobs and the library, by what the page does and what it did."""

import pytest

from tests.support.wait import until

pytestmark = pytest.mark.long


def test_a_server_is_drained_and_takes_jobs_again(open_page, stack):
    page = open_page("/servers")
    page.get_by_role("button", name="Drain").click()
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


def test_a_model_is_loaded_and_unloaded(open_page, stack):
    page = open_page("/servers")
    page.get_by_role("button", name="Preload…").click()
    page.get_by_role("dialog").get_by_label("Model").select_option("chaos-two")
    page.get_by_role("dialog").get_by_role("button", name="Load").click()
    until(lambda: "chaos-two" in server(stack)["resident"], 30, "the model")
    page.locator(".key").get_by_text("chaos-two").wait_for()
    page.get_by_role("button", name="Unload…").click()
    page.get_by_role("dialog").get_by_label("Model").select_option("chaos-two")
    page.get_by_role("dialog").get_by_role("button", name="Unload").click()
    until(lambda: "chaos-two" not in server(stack)["resident"], 30, "the model to go")


def test_a_key_is_made_shown_once_and_revoked(open_page, stack):
    page = open_page("/keys")
    page.get_by_role("button", name="Make a key").click()
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
    page.get_by_label("Tags").fill("mug, spring")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved").wait_for()
    page.get_by_role("button", name="Publish").click()
    link = page.locator("p.mono a").get_attribute("href")
    assert 302 == stack.client.get(link).status_code
    page.get_by_role("button", name="Take back").click()
    page.get_by_role("button", name="Publish").wait_for()
    assert 404 == stack.client.get(link).status_code
    page.goto("/console/library?q=tag:spring")
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
