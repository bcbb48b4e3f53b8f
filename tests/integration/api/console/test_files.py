"""What a browser gets of the console: the page, its files, its policy; and what they weigh."""

import gzip
import re

import httpx
import pytest

from api.console.files import FIRST_MODULES, FOLDER, ConsoleFiles
from tests.support.service.api_server import NO_TLS, api_server

BUDGET = 150_000
"""Bytes with gzip of all that comes before the viewers: shell, style, font, vendored and own modules."""
MOST_MODULES = 20
BESIDE = ("frame/", "vendor/model-viewer.js", "font/latin-ext.woff2")
"""What is loaded only where it is needed: the viewer of meshes, and letters that few texts have."""


@pytest.fixture
def browser(api):
    with api.client() as client:
        yield client


def assets(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]+)"', page)


def test_every_path_is_the_page(browser):
    pages = [browser.get(path) for path in ("/console", "/console/", "/console/jobs", "/console/make/image?prompt=a")]
    assert {200} == {page.status_code for page in pages}
    assert 1 == len({page.text for page in pages})
    assert "text/html; charset=utf-8" == pages[0].headers["Content-Type"]
    again = browser.get("/console/jobs", headers={"If-None-Match": pages[0].headers["ETag"]})
    assert (304, "no-cache", b"") == (again.status_code, again.headers["Cache-Control"], again.content)


def test_the_policy_lets_nothing_in_from_elsewhere(browser, api):
    page = browser.get("/console")
    policy = {
        name: set(places)
        for name, *places in (part.split() for part in page.headers["Content-Security-Policy"].split(";"))
    }
    own = {"'self'"}
    assert {"'none'"} == policy["default-src"]
    for name in ("script-src", "style-src", "font-src", "frame-src"):
        assert own == policy[name]
    assert own | {api.url} == policy["connect-src"]
    for name in ("base-uri", "form-action", "frame-ancestors", "trusted-types"):
        assert {"'none'"} == policy[name]
    assert {"'script'"} == policy["require-trusted-types-for"]
    assert ("same-origin", "same-origin", "nosniff") == (
        page.headers["Referrer-Policy"],
        page.headers["Cross-Origin-Opener-Policy"],
        page.headers["X-Content-Type-Options"],
    )
    assert not re.search(r"<script(?![^>]* src=)|<style|\son[a-z]+=|\sstyle=", page.text)


def test_files_are_kept_for_good_and_come_compressed(browser):
    paths = assets(browser.get("/console").text)
    assert len(paths) > 5
    for path in paths:
        answer = browser.get(path, headers={"Accept-Encoding": "gzip"})
        assert 200 == answer.status_code, path
        assert "public, max-age=31536000, immutable" == answer.headers["Cache-Control"]
        assert "gzip" == answer.headers["Content-Encoding"]
        assert answer.content == browser.get(path, headers={"Accept-Encoding": "identity"}).content


@pytest.mark.parametrize(
    "path", ["/~0123456789ab/app.js", "/~{version}/nothing.js", "/~{version}/app.py", "/~{version}/"]
)
def test_other_files_are_not_there(browser, path):
    version = re.search(r"/~([0-9a-f]{12})/", browser.get("/console").text)[1]
    answer = browser.get("/console" + path.format(version=version))
    assert (404, "not_found") == (answer.status_code, answer.json()["code"])


@pytest.mark.long
def test_it_works_behind_a_path(settings, rows):
    with api_server(settings, prefix="/studio") as server:
        paths = assets(httpx.get(f"{server.url}/console", verify=NO_TLS).text)
        assert all(path.startswith("/studio/console/~") for path in paths)
        for path in paths:  # a proxy strips the prefix
            assert 200 == httpx.get(server.url + path.removeprefix("/studio"), verify=NO_TLS).status_code


def test_all_before_the_viewers_weighs_less_than_150_kb():
    files = ConsoleFiles("")
    first = {name: file for name, file in files.all.items() if not name.startswith(BESIDE)}
    weights = {name: len(file.compressed or file.content) for name, file in first.items()}
    total = sum(weights.values()) + len(files.shell.compressed or b"")
    assert BUDGET > total, sorted(weights.items(), key=lambda pair: -pair[1])
    assert 10_000 > weights["style/console.css"]


def test_the_first_page_is_asked_for_at_once():
    """The modules of the shell, all that they import, in at most 20 files, none of them found late."""
    found, unread = set(), ["app.js"]
    while unread:
        name = unread.pop()
        if name not in found:
            found.add(name)
            folder = (FOLDER / name).parent
            imports = re.findall(
                r'^(?:import|export)[^;]*?from ?"(\.[^"]+)"', (FOLDER / name).read_text(), re.MULTILINE
            )
            unread += [str((folder / one).resolve().relative_to(FOLDER)) for one in imports]
    assert set(FIRST_MODULES) == found
    assert MOST_MODULES >= len(FIRST_MODULES)


def test_a_changed_file_is_another_version(tmp_path):
    for name, content in (("index.html", "<p>{base}</p>{modules}"), ("app.js", "1")):
        (tmp_path / name).write_text(content)
    before = ConsoleFiles("/studio", tmp_path)
    assert f"/studio/console/~{before.version}" in before.shell.content.decode()
    assert b"1" == before.find(f"/~{before.version}/app.js").content
    (tmp_path / "app.js").write_text("2")
    after = ConsoleFiles("/studio", tmp_path)
    assert before.version != after.version
    assert after.find(f"/~{before.version}/app.js") is None
    assert b"2" == gzip.decompress(after.find(f"/~{after.version}/app.js").compressed)
