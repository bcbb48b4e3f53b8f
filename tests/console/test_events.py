"""A thousand events a minute: the page that follows them stays free."""

import time
from contextlib import contextmanager

import msgspec
import pytest

from jobs.events import Publisher, event_of
from tests.support.wait import until

pytestmark = pytest.mark.long

BUSY_SHARE = 0.5
"""The share of the time in which the main thread may be busy; a page that freezes is at 1."""


@contextmanager
def busy_share(page):
    """Give the share of the time for which the page's main thread is busy meanwhile, in a list of one."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def busy():
        return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}["TaskDuration"]

    share, before, begun = [], busy(), time.perf_counter()
    yield share
    share.append((busy() - before) / (time.perf_counter() - begun))


def test_a_thousand_events_a_minute_do_not_freeze_a_page(open_page, stack):
    job_id = stack.submit("compute=20 steps=40")
    running = stack.running(job_id)
    page = open_page(f"/jobs/{job_id}")
    page.get_by_role("progressbar").wait_for()
    publisher = Publisher(stack.settings)
    event = event_of(running)
    with busy_share(page) as share:
        for number in range(1, 170):  # in ten seconds, as a thousand in a minute
            publisher.publish_events(
                [msgspec.structs.replace(event, n=number + 1000, progress=min(0.99, number / 200))]
            )
            page.wait_for_timeout(60)
    assert BUSY_SHARE > share[0]
    until(lambda: stack.job(job_id).status.terminal, 60, "the job")
    page.get_by_text("Completed", exact=True).wait_for()
