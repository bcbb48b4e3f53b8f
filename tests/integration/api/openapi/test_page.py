"""The OpenAPI page and the page at the root in a real browser, under their own policies."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

BROWSER = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; it takes seconds to start."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Chromium (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=BROWSER)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> list[str]:
    """What the browser has complained of."""
    return []


@pytest.fixture
def page(chromium, api, faults) -> Iterator[Any]:
    context = chromium.new_context(base_url=api.url)
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((api.url, "data:")) else faults.append(asked.url))
    yield page
    context.close()


def test_the_page_works_under_its_policy(page, api, key, server, faults):
    """It shows every operation, sends a request with the key, and keeps that for the tab, not for other tabs."""
    page.goto("/schema")
    page.locator("#operations-Generate-createImage").wait_for()
    assert 40 < page.locator(".opblock").count()

    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").first.fill(key)
    page.locator(".auth-btn-wrapper button.authorize").first.click()
    page.locator("button.btn-done").first.click()
    page.reload()

    listing = page.locator("#operations-Jobs-listJobs")
    listing.locator(".opblock-summary-control").click()
    listing.get_by_role("button", name="Try it out").click()
    assert [""] * 7 == [field.input_value() for field in listing.locator("input[type=text]").all()]
    listing.get_by_role("button", name="Execute").click()
    answered = listing.locator(".live-responses-table .response-col_status").nth(1)
    answered.wait_for()
    assert "200" in answered.inner_text()
    assert [] == faults

    assert {} == page.evaluate("() => ({...localStorage})")
    other = page.context.new_page()
    other.goto("/schema")
    other.locator("#operations-Generate-createImage").wait_for()
    assert None is other.evaluate("() => sessionStorage.getItem('atelier-authorization')")


def test_a_script_of_somebody_else_does_not_run(page):
    page.goto("/schema")
    page.locator("#operations-Generate-createImage").wait_for()
    page.evaluate(
        """() => { const mark = document.createElement("script"); mark.textContent = "window.ran = true";
                   document.body.append(mark); }"""
    )
    assert not page.evaluate("() => Boolean(window.ran)")


def test_the_root_is_a_page_without_faults(page, rows, faults):
    rows.server("gpu-1", serves=["chaos"])
    page.goto("/")
    assert "Ready" in page.locator(".state").inner_text()
    assert "4px" != page.evaluate("() => getComputedStyle(document.querySelector('.state')).borderLeftWidth")
    page.get_by_role("link", name="API reference").click()
    page.locator("#operations-Generate-createImage").wait_for()
    assert [] == faults
