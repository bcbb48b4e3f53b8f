"""Making something in the browser, end to end, on a real stack."""

import base64
import io
import json
import re
import subprocess
import sys

import pytest
from PIL import Image

from tests.console.conftest import excused
from tests.support.wait import until

PROMPT = 'compute=0.3 steps=3 side=64 <img src=x onerror=alert(1)> "quoted" ßõ 🎈'


DROPPED = """(content) => {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], "first.png", { type: "image/png" }));
    return dropped;
}"""
"""A file as a browser has it when it is dropped."""


def make(page, prompt=PROMPT):
    """Submit a prompt; the id of the job."""
    page.get_by_label("Prompt", exact=False).first.fill(prompt)
    page.get_by_role("button", name="Make image").click()
    page.wait_for_url(re.compile(r"job=job_"))
    return re.search(r"job=(job_[0-9a-f]+)", page.url)[1]


@pytest.mark.contract("F37")
def test_from_the_form_to_the_library_and_away(open_page, stack, faults):
    """Submitted in the console, followed live, its result opened, found again in the library, deleted."""
    page = open_page("/make/image")
    job_id = make(page)
    page.get_by_text(re.compile(r"^Running \d+ %$")).first.wait_for()
    page.locator(".plate img").wait_for()
    assert 64 == page.evaluate("document.querySelector('.plate img').naturalWidth")
    page.get_by_role("link", name=job_id).click()
    page.get_by_text("Completed", exact=True).wait_for()
    page.get_by_text(PROMPT).first.wait_for()
    page.locator("dd").get_by_text(re.compile(", local$")).wait_for()

    page.get_by_role("link", name="Library").click()
    page.get_by_role("link", name=PROMPT).click()
    page.locator(".plate img").wait_for()
    page.get_by_role("link", name=job_id).wait_for()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("The library is empty").wait_for()
    assert [] == stack.client.get("/media/v1").json()["media"]

    with excused(faults, "410"):  # the job is still there, and says that its file is not
        page.goto(f"/console/jobs/{job_id}")
        page.get_by_text("The file is not there").wait_for()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("No jobs yet").wait_for()
    assert 404 == stack.client.get(f"/jobs/v1/{job_id}").status_code


@pytest.mark.long
def test_shots_are_arranged_and_become_a_chain(open_page, stack):
    """Added, moved by keys and by dragging, and removed; the chain is followed to what its last step made."""
    page = open_page("/make/storyboard")
    page.set_viewport_size({"width": 1440, "height": 2600})  # a page that scrolls would move under what is dragged
    shot = {place: page.get_by_role("group", name=f"Shot {place}") for place in (1, 2, 3)}
    shot[1].get_by_label("Prompt").fill("zoom in")
    for prompt in ("pan to the right", "side=64 zoom out"):
        page.get_by_role("button", name="Add a shot").press("Enter")
        page.keyboard.type(prompt)
    shot[2].get_by_label("Continues").check()
    assert 0 == shot[2].get_by_label("First frame").count()
    shot[3].get_by_label("Seconds").fill("0.5")
    shot[3].get_by_role("button", name="Move shot 3 earlier").press("Enter")
    page.keyboard.press("Enter")
    assert "Move shot 1 later" == page.evaluate("document.activeElement.ariaLabel")
    page.locator(".item-head").nth(2).drag_to(page.locator(".item-head").nth(1))
    page.get_by_role("tab", name="JSON").click()
    shots = json.loads(page.get_by_role("tabpanel").inner_text())["shots"]
    assert [
        {"prompt": "side=64 zoom out", "duration_seconds": 0.5},
        {"prompt": "pan to the right", "continues": True},
        {"prompt": "zoom in"},
    ] == shots
    for _ in range(2):
        shot[2].get_by_role("button", name="Remove shot 2").press("Enter")
    page.get_by_text("2 jobs by").wait_for()
    page.get_by_role("button", name="Make storyboard").click()
    page.wait_for_url(re.compile(r"chain=chn_"))
    page.locator(".plate img").wait_for()
    assert 64 == page.evaluate("document.querySelector('.plate img').naturalWidth")
    page.get_by_role("link", name=re.compile("^chn_")).click()
    steps = page.get_by_role("region", name="Steps")
    steps.get_by_text("Done").nth(1).wait_for()
    assert ["picture-1", "shot-1"] == steps.get_by_role("link").all_inner_texts()


def test_a_page_has_no_fault_of_accessibility(open_page, violations):
    page = open_page()
    page.get_by_label("Prompt", exact=False).first.wait_for()
    assert [] == violations(page)


class TestMake:
    pytestmark = pytest.mark.long

    def test_the_estimate_is_there_before_the_job(self, open_page):
        page = open_page("/make/image")
        page.get_by_label("Prompt", exact=False).first.fill("a tree")
        page.get_by_text("Starts at once").wait_for()
        page.get_by_text("Costs").wait_for()

    def test_a_reload_shows_the_same_job(self, open_page):
        page = open_page("/make/image")
        make(page, "compute=3 steps=30")
        page.reload()
        page.get_by_role("progressbar").wait_for()
        page.locator(".plate img").wait_for()
        assert page.evaluate("document.querySelector('.plate img').naturalWidth") > 0

    def test_a_job_that_runs_shows_its_steps(self, open_page, stack):
        page = open_page("/make/image")
        job_id = make(page, "compute=60 steps=600")
        shown = re.compile(r"^Preview after step \d+ of 600$")
        for path in (None, f"/console/jobs/{job_id}"):
            if path:
                page.goto(path)
            page.get_by_role("img", name=shown).wait_for()
            assert 8 == page.evaluate("document.querySelector('img.step').naturalWidth")
        page.get_by_role("button", name="Cancel").click()
        assert "cancelled" == stack.ended(job_id).status

    def test_a_problem_is_at_its_field(self, open_page, faults):
        page = open_page("/make/image")
        page.get_by_label("Prompt", exact=False).first.fill("a tree")
        page.get_by_text("Where, when, labels").click()
        with excused(faults, "422"):
            page.get_by_label("Deadline seconds").fill("0")
            page.get_by_role("button", name="Make image").click()
            page.locator("#field-deadline_seconds[aria-invalid=true]").wait_for()
        assert "field-deadline_seconds" == page.evaluate("document.activeElement.id")

    def test_a_problem_of_a_shot_is_at_its_field(self, open_page, faults):
        page = open_page("/make/storyboard?model=chaos-video")
        for place in (1, 2):
            page.get_by_role("group", name=f"Shot {place}").get_by_label("Prompt").fill("zoom in")
            page.get_by_role("button", name="Add a shot").click()
        page.get_by_role("button", name="Remove shot 3").click()
        seconds = page.get_by_role("group", name="Shot 2").get_by_label("Seconds")
        with excused(faults, "422"):
            seconds.fill("9")
            page.get_by_role("button", name="Make storyboard").click()
            page.locator("[id='field-shots[1].duration_seconds'][aria-invalid=true]").wait_for()
        assert "field-shots[1].duration_seconds" == page.evaluate("document.activeElement.id")

    def test_a_job_is_cancelled(self, open_page, stack):
        page = open_page("/make/image")
        job_id = make(page, "compute=60 steps=600")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_text("This job was cancelled.").wait_for()
        assert "cancelled" == stack.ended(job_id).status

    def test_a_file_that_is_dropped_is_uploaded_and_used(self, open_page, stack):
        page = open_page("/make/image?model=chaos-edit")
        zone = page.locator(".drop").first
        zone.dispatch_event("drop", {"dataTransfer": page.evaluate_handle(DROPPED, png())})
        page.get_by_text("first.png").wait_for()
        page.locator(".files img").wait_for()
        page.get_by_role("button", name="Make image").wait_for()
        job_id = make(page, "echo=1")
        assert "completed" == stack.ended(job_id).status
        assert stack.client.get(f"/jobs/v1/{job_id}/request").json()["params"]["input_image"].startswith("inp_")

    def test_a_result_goes_on_in_another_form(self, open_page, stack):
        """Its bytes do not move: the other job names it."""
        page = open_page("/make/image")
        first = make(page, "side=64")
        page.get_by_label("Use as").select_option(label="Cut-out: image")
        page.wait_for_url(re.compile(r"/make/remove-background\?input_image="))
        page.get_by_role("button", name="Make cut-out").click()
        page.locator(".compare img").nth(1).wait_for()
        second = re.search(r"job=(job_[0-9a-f]+)", page.url)[1]
        assert f"output:{first}/0" == stack.client.get(f"/jobs/v1/{second}/request").json()["params"]["input_image"]

    def test_a_result_is_reproduced(self, open_page, stack):
        page = open_page("/make/image")
        first = make(page, "side=64")
        page.get_by_role("button", name="Reproduce").click()
        page.wait_for_url(lambda url: "job=job_" in url and first not in url)
        again = re.search(r"job=(job_[0-9a-f]+)", page.url)[1]
        assert stack.ended(first).seed == stack.ended(again).seed
        manifest = until(lambda: stack.client.get(f"/jobs/v1/{again}/manifest").json(), 10, "the manifest")
        assert {"job_id": first, "identical": True} == {
            name: manifest["reproduces"][name] for name in ("job_id", "identical")
        }
        page.get_by_role("link", name=again).click()
        page.get_by_text("the same, byte by byte").wait_for()

    def test_the_shortcut_sends_a_form_that_is_only_a_file(self, open_page, stack, tmp_path):
        """After a file was chosen no field has the focus: what was clicked is gone."""
        file = tmp_path / "first.png"
        Image.new("RGB", (64, 64), "red").save(file)
        page = open_page("/make/remove-background")
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="choose one").first.click()
        chooser.value.set_files(file)
        page.locator(".files small").get_by_text(re.compile(r" B$")).wait_for()
        assert "BODY" == page.evaluate("document.activeElement.tagName")
        page.keyboard.press("Control+Enter")
        page.wait_for_url(re.compile(r"job=job_"))
        assert "completed" == stack.ended(re.search(r"job=(job_[0-9a-f]+)", page.url)[1]).status

    def test_again_has_a_new_seed(self, open_page, stack):
        page = open_page("/make/image")
        page.get_by_label("Seed").fill("77")
        first = make(page, "side=8")
        assert 77 == stack.ended(first).seed
        page.get_by_role("button", name="Again").click()
        page.wait_for_url(lambda url: "job=job_" in url and first not in url)
        again = re.search(r"job=(job_[0-9a-f]+)", page.url)[1]
        assert 77 != stack.ended(again).seed

    def test_the_code_that_is_shown_makes_the_same_job(self, open_page, stack, node):
        page = open_page("/make/image")
        page.get_by_label("Prompt", exact=False).first.fill(PROMPT)
        page.get_by_label("Seed").fill("77")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        shown = {}
        for language in ("curl", "Python", "TypeScript", "JSON"):
            page.get_by_role("tab", name=language).click()
            shown[language] = page.get_by_role("tabpanel").inner_text()
            page.get_by_role("button", name="Copy").click()
            page.get_by_text("Copied").first.wait_for()
            assert shown[language] == page.evaluate("navigator.clipboard.readText()")
        environment = {"ATELIER_API_KEY": stack.key, "PATH": "/usr/bin:/bin", "HOME": "/tmp"}
        python = shown["Python"].replace("print(answer.json())", "import json; print(json.dumps(answer.json()))")
        typescript = shown["TypeScript"].replace(
            "console.log(await answer.json())", "console.log(JSON.stringify(await answer.json()))"
        )
        programs = {
            "curl": ["bash", "-c", shown["curl"]],
            "Python": [sys.executable, "-c", python],
            "TypeScript": [str(node), "--input-type=module-typescript", "-e", typescript],
        }
        asked = []
        for program in programs.values():
            done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120, check=False)
            assert 0 == done.returncode, done.stderr
            job_id = json.loads(done.stdout)["job_id"]
            asked.append(stack.client.get(f"/jobs/v1/{job_id}/request").json()["params"])
        assert {"prompt": PROMPT, "seed": 77} == json.loads(shown["JSON"])
        assert asked[0] == asked[1] == asked[2]
        assert (PROMPT, 77) == (asked[0]["prompt"], asked[0]["seed"])

    def test_a_revoked_key_asks_again_and_the_form_stays(self, open_page, stack, faults):
        """The session ends with its key; what was written is still there after signing in with another one."""
        made = stack.client.post("/keys/v1", json={"name": "Short", "scopes": ["write"]}).json()
        page = open_page("/make/image", key=made["key"])
        page.get_by_label("Prompt", exact=False).first.fill("a poem about keys")
        page.get_by_text("Starts at once").wait_for()
        with excused(faults, "401"):
            assert 204 == stack.client.delete(f"/keys/v1/{made['key_id']}").status_code
            page.get_by_role("button", name="Make image").click()
            page.get_by_role("dialog").get_by_label("API key").fill(stack.key)
            page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
            page.get_by_role("dialog").wait_for(state="detached")
        assert "a poem about keys" == page.get_by_label("Prompt", exact=False).first.input_value()


def png():
    """A small picture, in base64."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
