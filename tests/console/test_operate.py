"""Looking after what is there, beside the main act of each page (`test_acts`): orders, bulk, dialogs, rights, keyboard.

Most at two sizes, one light and one dark; what a page shows in the end is without violations, too.
"""

import pytest

from tests.console.conftest import LOOKS, excused, look
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


def test_an_engine_is_replaced(open_page, stack):
    stack.ended(stack.submit("side=8"))
    until(lambda: server(stack)["resident"], 10, "its model to be in memory")
    page = open_page("/servers")
    page.get_by_role("button", name="Recycle").click()
    page.get_by_role("dialog").get_by_role("button", name="Recycle").click()
    page.get_by_text("Taken", exact=True).wait_for()
    page.get_by_text("No model in memory").wait_for()
    assert [] == server(stack)["resident"]


def test_failed_jobs_are_run_again_together(open_page, stack):
    failed = [stack.submit("fail=broken side=8", labels={"run": "again"}) for _ in range(2)]
    for job_id in failed:
        assert "failed" == stack.ended(job_id).status
    page = open_page("/jobs?q=label:run:again error:pipeline_failed&state=failed")
    page.get_by_role("row").filter(has_text="fail=broken").nth(1).wait_for()
    for key in ("j", "x", "j", "x"):  # a phone has no boxes to check
        page.keyboard.press(key)
    page.get_by_role("button", name="Run again 2").click()
    until(lambda: all(stack.job(job_id).redriven_as for job_id in failed), 10, "both to be redriven")


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


def test_the_keyboard_is_enough(open_page, stack):
    """From page to page, to a picture, and to a server that is drained."""
    page = open_page("/jobs")
    page.get_by_role("heading", name="Jobs").wait_for()
    page.keyboard.press("/")
    page.locator("input[type=search]:focus").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/console/make")
    page.locator("#field-prompt").wait_for()
    tab_to(page, "field-prompt")
    page.keyboard.type("side=64")
    page.keyboard.press("Control+Enter")
    page.locator(".plate img").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Go to").fill("servers")
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/servers")
    page.get_by_role("button", name="Drain").wait_for()
    tab_to(page, "Drain")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    tab_to(page, "Drain")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Uncordon").wait_for()
    tab_to(page, "Uncordon")
    page.keyboard.press("Enter")
    until(lambda: server(stack)["desired"] == "active", 10, "the server to take jobs")


def tab_to(page, name):
    """Press Tab until what has this id or text has the focus, which is visible."""
    for _ in range(100):
        page.keyboard.press("Tab")
        focused = page.evaluate("[document.activeElement.id, document.activeElement.textContent.trim()]")
        if name in focused:
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    pytest.fail(f"Tab does not come to {name}")


DIALOGS = {
    "/servers": ("Drain", "Preload…", "Unload…", "Recycle"),
    "/keys": ("Make a key", "Revoke…"),
    "/webhooks": ("Add an endpoint", "Send a range again…"),
    "/jobs/{job_id}": ("Delete",),
}


@pytest.mark.parametrize("open_page", LOOKS, indirect=True)
def test_a_dialog_is_left_with_escape(open_page, stack, violations):
    """It changes nothing then, and is without violations while it is there."""
    job_id = stack.submit("side=8")
    stack.ended(job_id)
    before = kept(stack)
    page = open_page()
    for path, names in DIALOGS.items():
        page.goto(f"/console{path.format(job_id=job_id)}")
        for name in names:
            page.get_by_role("button", name=name).first.click()
            page.get_by_role("dialog").wait_for()
            assert [] == violations(page), name
            page.keyboard.press("Escape")
            page.get_by_role("dialog").wait_for(state="detached")
    assert before == kept(stack)
    assert 200 == stack.client.get(f"/jobs/v1/{job_id}").status_code


def test_a_store_that_is_away_is_said(open_page, stack):
    """Of the server and of its jobs; they go on by themselves."""
    page = open_page("/servers")
    store, away = stack.folder / "objects", stack.folder / "objects-away"
    store.rename(away)
    store.touch()  # no folder any more
    try:
        jobs = [stack.submit("side=8")]
        page.get_by_text("Store away", exact=True).wait_for()
        jobs.append(stack.submit("side=8"))
        page.get_by_text("the object store takes no results").wait_for()
    finally:
        store.unlink()
        away.rename(store)
    assert ["completed"] * 2 == [stack.ended(job_id, timeout=60).status for job_id in jobs]
    page.get_by_text("the object store takes no results").wait_for(state="detached")


def test_without_the_service_a_page_says_what_to_do(open_page, faults):
    page = open_page("/jobs")
    page.get_by_role("heading", name="Jobs").wait_for()
    with excused(faults, "ERR_INTERNET_DISCONNECTED"):
        page.context.set_offline(True)
        page.get_by_role("link", name="Chains").click()
        page.get_by_text("Jobs that were accepted are safe").wait_for()
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        page.get_by_text("Jobs that were accepted are safe").wait_for(state="detached")


def server(stack):
    (found,) = stack.client.get("/servers/v1").json()["servers"]
    return found


def kept(stack):
    """What the dialogs would change."""
    keys = {key["key_id"]: key["valid"] for key in stack.client.get("/keys/v1").json()["keys"]}
    return keys, stack.client.get("/webhooks/v1").json()["webhooks"], server(stack)["desired"]
