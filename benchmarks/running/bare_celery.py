"""A Celery task with nothing around it, to compare with: it only says when it began."""

import os
import sys
import time

import redis
from celery import Celery

URL = os.environ.get("ATELIER_BROKER_URL", "redis://localhost/0")
QUEUE = "bare"
STARTED = "bare:started"

app = Celery("bare", broker=URL)
app.conf.update(task_ignore_result=True, task_default_queue=QUEUE, worker_redirect_stdouts=False)
_client = redis.Redis.from_url(URL)


@app.task(name="bare.mark")  # type: ignore[untyped-decorator]
def mark() -> None:
    """Tell when the task began (Unix seconds)."""
    began = time.time()
    _client.rpush(STARTED, repr(began))


def main(pool: str) -> None:
    """Serve the queue with one process or thread."""
    app.Worker(
        pool=pool,
        concurrency=1,
        loglevel="ERROR",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()


if __name__ == "__main__":
    main(sys.argv[1])
