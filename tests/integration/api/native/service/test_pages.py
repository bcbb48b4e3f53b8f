"""/llms.txt, its pages and the changelog: text for agents and for readers without a browser."""

import re
from urllib.parse import urlsplit

import pytest


@pytest.fixture(scope="module")
def public(running):
    with running.client() as client:
        yield client


@pytest.mark.contract("D44")
def test_the_list_names_pages_that_are_there(public):
    answer = public.get("/llms.txt")
    assert (200, "text/plain; charset=utf-8") == (answer.status_code, answer.headers["Content-Type"])
    assert answer.text.startswith("# Atelier\n\n> ")
    links = re.findall(r"^- \[([^\]]+)\]\((\S+)\)$", answer.text, re.MULTILINE)
    assert {"Webhooks", "The command line"} <= {title for title, _ in links}
    for title, url in links:
        page = public.get(urlsplit(url).path)
        assert (200, "text/markdown; charset=utf-8") == (page.status_code, page.headers["Content-Type"])
        assert page.text.startswith(f"# {title}\n")
    assert "- `POST /generate/image/v1`: Make an image from a prompt" in answer.text


@pytest.mark.contract("D44")
def test_one_text_has_all_pages(public):
    text = public.get("/llms-full.txt").text
    assert "## POST /generate/image/v1" in text
    assert public.get("/docs/webhooks.md").text in text


def test_links_of_a_page_lead_to_pages_or_elsewhere(public):
    text = public.get("/llms-full.txt").text
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target and not target.startswith("#"):
            assert 200 == public.get(f"/docs/{target.partition('#')[0]}").status_code, target
    assert "<!-- not run" not in text


@pytest.mark.contract("D45")
def test_the_changelog_is_a_page(public):
    answer = public.get("/changelog")
    assert (200, "text/plain; charset=utf-8") == (answer.status_code, answer.headers["Content-Type"])
    assert "## [Unreleased]" in answer.text


def test_an_unknown_page_says_where_the_list_is(public):
    for path in ("/docs/nothing.md", "/docs/webhooks", "/docs/contract.md"):
        answer = public.get(path)
        assert (404, "not_found") == (answer.status_code, answer.json()["code"])
        assert "/llms.txt" in answer.json()["detail"]
