"""A list of 100,000 jobs: it opens as an empty one does, and scrolls."""

from statistics import median

import pytest
from sqlalchemy import func, insert, literal, literal_column, select, text, true

from jobs.schema.tables import jobs, tenants

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

NUMBER = 100_000
OPENINGS = 15
MOST_LATER_MS = 150
"""How much later than an empty list, at most, a long one is there: the median of openings in turn (issue 19)."""
MOST_IN_PAGE = 100
"""Rows of 36 pixels on a screen of 900, and some above and below."""
SEEN = """async () => {
    const middle = () => document.elementFromPoint(innerWidth / 2, innerHeight / 2);
    while (!middle()?.closest(".window .row")) await new Promise(requestAnimationFrame);
}"""
"""Waits until the middle of the screen has a row."""
OWN = {
    "id": "'job_' || lpad(to_hex(n), 32, '0')",
    "status": "CASE WHEN n % 20 = 0 THEN 'failed' WHEN n % 20 = 1 THEN 'cancelled' ELSE 'completed' END",
    "artifacts": "CASE WHEN n % 20 < 2 THEN '[]' ELSE artifacts END",
    "error": """CASE WHEN n % 20 = 0 THEN '{"code": "engine_lost", "message": "The engine ended."}'::jsonb END""",
    "labels": "jsonb_build_object('batch', 'b' || n % 50)",
    "created_at": "now() - make_interval(secs => n * 10)",
    "started_at": "now() - make_interval(secs => n * 10 - 1)",
    "finished_at": "now() - make_interval(secs => n * 10 - 3)",
    "seq": "seq + n",
}
"""What a copy of a job has of its own, by its number."""
WATCH = """
    window.opened = new Promise((resolve) => {
        new MutationObserver((_, observer) => {
            if (!document.querySelector(".window .row, main .empty")) return;
            observer.disconnect();
            requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
        }).observe(document, { childList: true, subtree: true });
    });
"""
"""Notes the time of the first frame that has jobs, or says that there are none."""


@pytest.fixture(scope="module")
def many(stack):
    """The key of a tenant with 100,000 jobs, each as a real one was."""
    made = stack.submit("side=256")
    stack.ended(made)
    own = {name: literal_column(value) for name, value in OWN.items()}
    numbers = func.generate_series(1, NUMBER).alias("n")
    with stack.caller("many") as client, stack.database.connect() as connection:
        own["tenant"] = literal(connection.execute(select(tenants.c.id).where(tenants.c.name == "many")).scalar_one())
        values = [own.get(column.name, column) for column in jobs.c]
        copies = select(*values).select_from(jobs.join(numbers, true())).where(jobs.c.id == made)
        connection.execute(insert(jobs).from_select([column.name for column in jobs.c], copies))
        connection.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE jobs"))
        return client.headers["X-API-Key"]


@pytest.fixture(scope="module")
def none(stack):
    """The key of a tenant without jobs."""
    with stack.caller("none") as client:
        return client.headers["X-API-Key"]


def opening_ms(page):
    """Open the list in a blank tab, and wait until all is quiet; the milliseconds until a frame has its jobs."""
    page.goto("about:blank")
    page.goto("/console/jobs", wait_until="commit")
    taken = page.evaluate("opened")
    page.wait_for_load_state("networkidle")
    return taken


def test_it_opens_as_an_empty_one_does(open_page, many, none):
    pages = {name: open_page(key=key) for name, key in (("many", many), ("none", none))}
    for page in pages.values():
        page.add_init_script(WATCH)
    taken = {name: [] for name in pages}
    for _ in range(OPENINGS):
        for name, page in pages.items():
            taken[name].append(opening_ms(page))
    assert median(taken["none"]) + MOST_LATER_MS > median(taken["many"])


def test_it_scrolls(open_page, many):
    """Further rows are read as the end comes near; only those that are seen are in the page."""
    page = open_page("/jobs", key=many)
    for shown in range(50, 501, 50):
        page.get_by_text(f"{shown} jobs shown").wait_for()
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.evaluate(SEEN)
        assert MOST_IN_PAGE > page.locator(".window .row").count()
    page.evaluate("scrollTo(0, 0)")
    page.evaluate(SEEN)
    assert "2" == page.locator(".window .row").first.get_attribute("aria-rowindex")
