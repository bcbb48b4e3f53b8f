"""Two roles with the rights that docs/operations.md prints: one migrates, the other runs the service."""

import re

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import make_url

from core.database import sync_engine
from core.settings import Settings
from core.storage.store import open_store
from jobs.schema.migrate import migrate
from jobs.schema.tables import metadata
from jobs.statements import api_keys
from jobs.statements.maintenance import recovery
from jobs.statements.maintenance.gauges import gauges
from tests.support.paths import ROOT
from tests.support.rows.rows import ARTIFACT, Rows
from workers.cpu.budgets import Budgets
from workers.cpu.growth import Growth
from workers.cpu.retention import Retention

PAGE = (ROOT / "docs" / "operations.md").read_text()
SECTION = PAGE[PAGE.index("## Rights of the database's role") : PAGE.index("## GPUs")]
CLUSTER, DATABASE = re.findall(r"^```sql\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


@pytest.fixture
def roles(empty_database_url):
    """URLs of the database for the role that owns it and the one of the service, made as the page says.

    The tests' server lets in one account only, so each session of theirs begins with SET ROLE.
    """
    url = make_url(empty_database_url)
    name = url.database
    mine = {"migrator": f"{name}_owner", "atelier": f"{name}_service"}

    def ours(sql):
        return re.sub(r"\b(migrator|atelier)\b", lambda found: mine[found[0]], sql)

    make = ours(CLUSTER).splitlines()
    assert make[-1] == f"CREATE DATABASE {mine['atelier']} OWNER {mine['migrator']};"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        for statement in make[:-1]:
            connection.execute(statement)
        connection.execute(SQL("ALTER DATABASE {} OWNER TO {}").format(Identifier(name), Identifier(mine["migrator"])))
        connection.execute(ours(DATABASE))
    options = {role: url.update_query_dict({"options": f"-c role={role}"}) for role in mine.values()}
    yield tuple(options[role].render_as_string(hide_password=False).replace("+", "%20") for role in mine.values())
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC")
        connection.execute(SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(Identifier(name)))
        for role in mine.values():
            connection.execute(SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(Identifier(role)))


@pytest.fixture
def rows(roles):
    owner, service = roles
    migrate(owner)
    engine = sync_engine(Settings(database_url=service))
    yield Rows(engine)
    engine.dispose()


def test_one_role_migrates_and_the_other_works(rows, tmp_path):
    """Submit, claim, complete and everything of the CPU worker, and no statement is denied."""
    settings = Settings(
        storage_url=f"file://{tmp_path}", row_keep_seconds=0, prompt_keep_seconds=0, output_keep_seconds=0
    )
    tenant, server = rows.tenant(), rows.server()
    job = rows.submit(tenant, callback_url="http://example.com/hook")
    rows.execute(api_keys.add_key("key_1", tenant, name="k", digest="d"))
    claimed = rows.claim(server)
    assert job.id == claimed.id
    rows.complete(claimed, ARTIFACT)
    Growth(rows.engine).record()
    Budgets(rows.engine).correct_reservations()
    Retention(settings, rows.engine, open_store(settings)).forget_expired()
    rows.execute(recovery.forget_keys())
    assert rows.execute(gauges())
    assert () == rows.job(job).artifacts


def test_the_services_role_has_the_rows_and_no_more(rows, roles):
    owner, service = roles
    with psycopg.connect(service, autocommit=True) as connection:
        for table in metadata.tables:
            rights = connection.execute(
                "SELECT has_table_privilege(%s, 'SELECT, INSERT, UPDATE, DELETE'), has_table_privilege(%s, 'TRUNCATE')",
                (table, table),
            ).fetchone()
            assert (True, False) == rights, table
        for statement in ("CREATE TABLE t ()", "ALTER TABLE jobs ADD extra text", "CREATE INDEX ON jobs (id)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    migrate(owner)


def test_the_formula_of_connections_is_that_of_the_pools():
    """Twice the pool for an API, and for a CPU worker besides its two pools of threads, of at most five each."""
    pool = Settings().db_pool
    assert f"{2 * pool} × APIs + {2 * pool + 10} × CPU workers + 5 × GPU workers" in PAGE
    assert f"come to {20 * 10 + 30 * 2 + 5 + 3}." in PAGE
