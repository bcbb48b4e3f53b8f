"""Many events: the page that follows them stays free, and does not grow."""

import re
import time
from contextlib import contextmanager

import msgspec
import pytest

from jobs.events import Publisher, event_of

pytestmark = pytest.mark.long

BUSY_SHARE = 0.5
"""The share of the time in which the main thread may be busy; a page that freezes is at 1."""
LONG = "compute=600 steps=300"
"""A job that does not end meanwhile, however slow the machine is."""
BATCH = 10
"""Events that are published together: fewer than the API keeps for a slow reader. Each batch adds a line at least."""
FIRST_EVENTS, MORE_EVENTS = 1000, 1000
"""Events after which the page has all that it keeps, and those that must not add to it."""
MOST_MORE_BYTES = 1_000_000
MOST_MORE_NODES = 200


def event_to_come(job):
    """An event whose number is above those of the job's own reports meanwhile, so that none of them hides it."""
    return msgspec.structs.replace(event_of(job), seq=job.event_seq + 1_000_000)


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
    job_id = stack.submit(LONG)
    event = event_to_come(stack.running(job_id))
    page = open_page(f"/jobs/{job_id}")
    page.get_by_role("progressbar").wait_for()
    publisher = Publisher(stack.settings)
    with busy_share(page) as share:
        for number in range(1, 169):  # in ten seconds, as a thousand in a minute
            publisher.publish_events(
                [msgspec.structs.replace(event, n=number + 1000, progress=min(0.99, number / 200))]
            )
            page.wait_for_timeout(60)
        page.get_by_text("Running 84 %").first.wait_for()
    assert BUSY_SHARE > share[0]
    stack.client.post(f"/jobs/v1/{job_id}/cancel")
    page.get_by_text("Cancelled", exact=True).first.wait_for()


def test_a_page_does_not_grow_with_its_events(open_page, stack):
    """Of the events that it has shown, each with another stage, it keeps the last hundred."""
    job_id = stack.submit(LONG)
    event = event_to_come(stack.running(job_id))
    page = open_page(f"/jobs/{job_id}")
    page.get_by_role("progressbar").wait_for()
    publisher = Publisher(stack.settings)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def show(first, last):
        """Publish events up to the number `last`, a batch at a time, and wait until the page shows the last of each."""
        for number in range(first, last, BATCH):
            batch = range(number, number + BATCH)
            publisher.publish_events(
                [
                    msgspec.structs.replace(event, n=1000 + one, stage=f"part {one}", progress=one / 10_000)
                    for one in batch
                ]
            )
            page.locator(".running").get_by_text(re.compile(f"^Part {batch[-1]}(,|$)")).wait_for()

    def size_of_page():
        session.send("HeapProfiler.collectGarbage")
        found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return found["JSHeapUsedSize"], found["Nodes"]

    show(0, FIRST_EVENTS)
    bytes_before, nodes_before = size_of_page()
    show(FIRST_EVENTS, FIRST_EVENTS + MORE_EVENTS)
    bytes_after, nodes_after = size_of_page()
    assert bytes_before + MOST_MORE_BYTES > bytes_after
    assert nodes_before + MOST_MORE_NODES > nodes_after
    stack.client.post(f"/jobs/v1/{job_id}/cancel")
