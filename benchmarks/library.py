"""How long the media library of a tenant with 100,000 items takes to list, filter, search and turn a page.

On a real PostgreSQL, statements as the API builds them, each asked again and again with other values; another tenant
has as many items. The time is that of the round trip, without HTTP. What PostgreSQL itself took, and how many of its
pages it read, says what of that is the machine's load.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from psycopg.types.json import Jsonb
from sqlalchemy import Engine, Executable, text

from benchmarks.report import Figure, Report
from cli.embedded.postgres import EmbeddedPostgres
from core.database import sync_engine
from core.settings import Settings
from jobs.schema.migrate import migrate
from jobs.statements.api_keys import ensure_tenant
from jobs.statements.media.library import list_media
from jobs.statements.media.library_search import search_media

TITLE = "The media library of 100,000 items"
ITEMS, REPEATS, LIMIT = 100_000, 200, 21
BAR = 50.0
"""Milliseconds that 95 of 100 answers must not exceed."""
FILL = text("""
    INSERT INTO media (id, tenant, kind, status, filename, media_type, bytes, key, prompt, tags, labels, source, search,
                       created_at, updated_at)
    SELECT 'med_' || md5(:tenant || n), :tenant, (ARRAY['image', 'video', 'audio', 'document'])[1 + n % 100 / 97],
        'ready', n || '.png', 'image/png', 1, 'k' || n, prompt, ARRAY['tag' || n % 7, 'tag' || n % 5000],
        jsonb_build_object('shop', 'eu', 'order', n % 2000), 'output', to_tsvector('simple', prompt),
        now() - n * interval '1 minute', now() - n % 997 * interval '1 minute'
    FROM generate_series(1, :items) AS n, LATERAL (SELECT 'a red circle on word' || n % 3000 AS prompt) AS made
""")


def run(*, quick: bool = False) -> Report:
    """Measure each kind of question."""
    items, repeats = (ITEMS // 20, REPEATS // 20) if quick else (ITEMS, REPEATS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atelier-bench-")))
        server = stack.enter_context(EmbeddedPostgres(folder, durable=False))
        migrate(server.url)
        engine = sync_engine(Settings(database_url=server.url))
        stack.callback(engine.dispose)
        tenant = fill(engine, items)
        figures: list[Figure] = []
        for name, ask in questions(tenant).items():
            seconds = measure(engine, ask, repeats)
            slow = 1e3 * seconds[int(0.95 * (len(seconds) - 1))]
            milliseconds, pages = explain(engine, ask, repeats // 10)
            figures += [
                Figure(f"{name}, 95 of 100 within", slow, "ms", f"<= {BAR:g}"),
                Figure(f"{name}, of that in PostgreSQL, median", milliseconds, "ms"),
                Figure(f"{name}, pages read", pages, "pages of 8 kB"),
            ]
    return Report(name="library", title=TITLE, figures=figures)


def fill(engine: Engine, items: int) -> str:
    """Give two tenants so many items each; returns the id of one."""
    with engine.begin() as connection:
        tenants = [str(connection.execute(ensure_tenant(name)).scalar_one()) for name in ("studio", "another")]
        for tenant in tenants:
            connection.execute(FILL, {"tenant": tenant, "items": items})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE media"))
    return tenants[0]


def questions(tenant: str) -> Mapping[str, Callable[[Engine], Executable]]:
    """Return how each question is made."""

    def page(engine: Engine) -> Executable:
        with engine.connect() as connection:
            row = connection.execute(
                text("SELECT created_at, id FROM media WHERE id = 'med_' || md5(:tenant || :n)"),
                {"tenant": tenant, "n": random.randint(1, ITEMS // 20)},
            ).one()
        return list_media(tenant, limit=LIMIT, before=(row.created_at, row.id))

    return {
        "list": lambda _: list_media(tenant, limit=LIMIT),
        "list by kind": lambda _: list_media(tenant, limit=LIMIT, kind=random.choice(("image", "video"))),
        "list by a common tag": lambda _: list_media(tenant, limit=LIMIT, tags=[f"tag{random.randint(0, 6)}"]),
        "list by a rare tag": lambda _: list_media(tenant, limit=LIMIT, tags=[f"tag{random.randint(7, 4999)}"]),
        "list by a label": lambda _: list_media(tenant, limit=LIMIT, labels={"shop": "eu"}),
        "next page": page,
        "search a rare word": lambda _: search_media(tenant, f"word{random.randint(0, 2999)}", limit=LIMIT),
        "search a word of every item": lambda _: search_media(tenant, "circle", limit=LIMIT),
    }


def measure(engine: Engine, ask: Callable[[Engine], Executable], repeats: int) -> list[float]:
    """Return the seconds of each answer, sorted."""
    seconds = []
    for _ in range(repeats):
        statement = ask(engine)
        with engine.connect() as connection:
            began = time.perf_counter()
            connection.execute(statement).all()
            seconds.append(time.perf_counter() - began)
    return sorted(seconds)


def explain(engine: Engine, ask: Callable[[Engine], Executable], repeats: int) -> tuple[float, float]:
    """Return the milliseconds of planning and execution, and the pages that were read: medians."""
    found = []
    for _ in range(repeats):
        asked = ask(engine).compile(engine, compile_kwargs={"render_postcompile": True})
        values = asked.construct_params()
        given = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in values.items()}
        with engine.connect() as connection:
            answer = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked}", given)
            found.append(answer.scalar_one()[0])
    return (
        statistics.median(one["Planning Time"] + one["Execution Time"] for one in found),
        statistics.median(one["Plan"]["Shared Hit Blocks"] + one["Plan"]["Shared Read Blocks"] for one in found),
    )
