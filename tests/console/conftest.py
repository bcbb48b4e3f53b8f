"""A real stack, and Chromium that reports every fault of a page: of its policy, of its scripts, of where it asks."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy.node_packages import RegistryAway, install
from tests.support.paths import ROOT
from tests.support.servers.databases import Databases
from tests.support.service.service import Service, service

ARGUMENTS = (
    *("--no-sandbox", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),  # meshes without a GPU
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SIZES = {1440: 900, 390: 844}
LOOKS = [(width, scheme) for width in SIZES for scheme in ("light", "dark")]
PATIENCE_MS = 60_000
"""How long a browser on a busy machine may take for anything."""
AXE = ROOT / "tests" / "support" / "deploy" / "node_axe"
SHOTS = ROOT / "out" / "console"
"""Where screenshots are kept, for people."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser; it takes seconds to start. Its event loop runs in this thread, where other modules have their own."""
    program = os.environ.get("ATELIER_TEST_CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.skip("needs Chromium (Debian: apt install chromium), or ATELIER_TEST_CHROMIUM with its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stack(
    chromium: Any, tmp_path_factory: pytest.TempPathFactory, postgres: Databases, valkey: str
) -> Iterator[Service]:
    """A service of real processes: API, CPU worker, and a GPU worker that makes small pictures."""
    with (
        postgres.fresh() as url,
        service(tmp_path_factory.mktemp("stack"), database_url=url, broker_url=valkey) as made,
    ):
        made.api()
        made.cpu()
        made.gpu("gpu-1")
        yield made


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What the browser has complained of; the test fails for any of it."""
    found: list[str] = []
    yield found
    assert [] == found


Opener = Callable[..., Any]


@pytest.fixture
def open_page(chromium: Any, stack: Service, faults: list[str]) -> Iterator[Opener]:
    """Open a page of the console, signed in with `key` (the stack's; "" for none), in a browser of its own."""
    contexts = []

    def opened(path: str = "", width: int = 1440, scheme: str = "light", key: str | None = None) -> Any:
        context = chromium.new_context(
            base_url=stack.url, viewport={"width": width, "height": SIZES[width]}, color_scheme=scheme
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        report(page, stack.url, faults)
        page.goto("/console")
        if key != "":
            sign_in(page, key or stack.key)
            if path:
                page.goto(f"/console{path}")
        return page

    yield opened
    for context in contexts:
        context.close()


def report(page: Any, url: str, faults: list[str]) -> None:
    """Note what a page complains of, and what it asks of others."""

    def note(message: Any) -> None:
        if message.type in ("error", "warning"):
            faults.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith((url, "data:", "blob:")) else faults.append(asked.url)
    )


def sign_in(page: Any, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Console").wait_for()


@pytest.fixture(scope="session")
def axe_source(node: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    folder = tmp_path_factory.mktemp("axe")
    try:
        install(node, folder, AXE)
    except RegistryAway as error:
        pytest.skip(f"axe-core cannot be installed: {error}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def violations(axe_source: str) -> Callable[[Any], list[str]]:
    """What axe finds wrong with a page: WCAG 2.2 A and AA, and best practice."""

    def found(page: Any) -> list[str]:
        page.evaluate(axe_source)
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        result = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags)
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
            for one in result["violations"]
            for node in one["nodes"]
        ]

    return found


def look(page: Any, name: str, width: int, scheme: str, violations: Callable[[Any], list[str]]) -> None:
    """Keep a screenshot of a page; it must not be wider than the screen, show no bare object, nor have violations."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
    assert width >= page.evaluate("document.documentElement.scrollWidth"), f"{name} is wider than {width}"
    assert "[object" not in page.locator("body").inner_text(), name
    assert [] == violations(page), name


@contextmanager
def excused(faults: list[str], *texts: str) -> Iterator[None]:
    """Take complaints out of `faults` that the test provokes: those that have one of these texts."""
    before = list(faults)
    yield
    faults[:] = before + [fault for fault in faults[len(before) :] if not any(text in fault for text in texts)]
