"""The operator's commands, with a real database and a real broker."""

import base64
import re

import msgspec
import psycopg
import pytest
from click.testing import CliRunner

from cli.main import atelier
from cli.operator import checks
from cli.operator.admin import connected, ensure_key
from core.sandbox.confinement import Confinement
from core.settings import read_settings
from core.signing import key_digest, new_key
from jobs.statements import api_keys
from jobs.statements.maintenance.growth import measure
from pipelines.catalog.loader import load_catalog
from pipelines.weights.local_lock import read_locks


def stored(environment) -> list[tuple]:
    with psycopg.connect(environment["ATELIER_DATABASE_URL"]) as connection:
        return connection.execute("SELECT id, name, digest, revoked_at FROM api_keys ORDER BY created_at").fetchall()


@pytest.mark.contract("D12")
def test_the_key_is_printed_and_its_digest_is_stored(run, environment):
    key = run("keys", "create", "--tenant", "shop", "--name", "web").stdout.strip()
    ((key_id, name, digest, revoked),) = stored(environment)
    assert "web" == name
    assert key_digest(environment["ATELIER_SECRET_KEY"], key) == digest
    assert key not in str(stored(environment))
    listed = run("keys", "list").stdout
    assert key_id in listed
    assert key not in listed
    assert revoked is None


def test_a_revoked_key_cannot_be_revoked_again(run, environment):
    run("keys", "create")
    key_id = stored(environment)[0][0]
    run("keys", "revoke", key_id)
    assert stored(environment)[0][3] is not None
    assert "no active key has the id" in run("keys", "revoke", key_id, status=1).output


def test_a_key_has_a_ceiling_and_its_tenant_a_budget(run, database_url):
    run("keys", "create", "--tenant", "shop", "--priority-ceiling", "3", "--budget-usd", "12.5")
    run("keys", "create", "--tenant", "shop")
    with psycopg.connect(database_url) as connection:
        assert [(3,), (9,)] == connection.execute(
            "SELECT priority_ceiling FROM api_keys ORDER BY priority_ceiling"
        ).fetchall()
        assert [(12.5,)] == connection.execute("SELECT budget_usd::float FROM tenants WHERE name = 'shop'").fetchall()


def test_a_tenant_has_limits_of_its_jobs(run, database_url):
    run("keys", "create", "--tenant", "shop", "--max-running-jobs", "2", "--max-waiting-jobs", "0")
    run("keys", "create", "--tenant", "shop")
    with psycopg.connect(database_url) as connection:
        caps = "SELECT max_running_jobs, max_waiting_jobs FROM tenants WHERE name = 'shop'"
        assert [(2, 0)] == connection.execute(caps).fetchall()
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE tenants SET max_running_jobs = 0")
    assert "0 is not in the range" in run("keys", "create", "--max-running-jobs", "0", status=2).output


def scopes(environment) -> list[list[str]]:
    with psycopg.connect(environment["ATELIER_DATABASE_URL"]) as connection:
        return [row[0] for row in connection.execute("SELECT scopes FROM api_keys ORDER BY created_at").fetchall()]


def test_only_admin_adds_the_admin_scope(run, environment):
    run("keys", "create")
    run("keys", "create", "--admin")
    assert [[], ["admin"]] == scopes(environment)
    assert "admin" in run("keys", "list").stdout.splitlines()[2]


def test_an_older_admin_key_gets_the_admin_scope(run, environment):
    settings, old, new = read_settings(environment), new_key(), new_key()
    with connected(settings) as connection:
        tenant = connection.execute(api_keys.ensure_tenant("default")).scalar_one()
        connection.execute(
            api_keys.add_key("key_1", tenant, name="admin", digest=key_digest(environment["ATELIER_SECRET_KEY"], old))
        )
    for key in (old, old, new):
        ensure_key(settings, key)
    assert [["admin"], ["admin"]] == scopes(environment)


def test_a_tenant_has_one_webhook_secret_until_it_is_rotated(run):
    run("keys", "create", "--tenant", "shop")
    run("keys", "create", "--tenant", "shop")
    first = run("webhooks", "secret", "--tenant", "shop").stdout.strip()
    assert first == run("webhooks", "secret", "--tenant", "shop").stdout.strip()
    assert first.startswith("whsec_")
    assert len(base64.b64decode(first.removeprefix("whsec_"))) >= 24
    rotated = run("webhooks", "secret", "--tenant", "shop", "--rotate").stdout.strip()
    assert rotated != first
    assert rotated == run("webhooks", "secret", "--tenant", "shop").stdout.strip()


def test_an_unknown_tenant_is_named(run):
    assert "the tenant 'unknown' does not exist" in run("webhooks", "secret", "--tenant", "unknown", status=1).output


def test_without_a_secret_no_key_is_created(run, environment, monkeypatch):
    monkeypatch.delenv("ATELIER_SECRET_KEY")
    assert "ATELIER_SECRET_KEY is not set" in run("keys", "create", status=1).output
    assert [] == stored(environment)


def test_an_unreachable_database_is_an_error_in_one_sentence(run, monkeypatch, tmp_path):
    monkeypatch.setenv("ATELIER_DATABASE_URL", f"postgresql://x@/y?host={tmp_path}")
    outcome = run("keys", "list", status=1)
    assert "The database does not answer" in outcome.output
    assert "Traceback" not in outcome.output


@pytest.mark.parametrize("words", [("keys", "list"), ("migrate",), ("retention",)])
def test_a_setting_that_cannot_be_read_is_a_sentence(run, monkeypatch, words):
    monkeypatch.setenv("ATELIER_LEASE_SECONDS", "soon")
    assert "ATELIER_LEASE_SECONDS='soon'" in run(*words, status=1).output


def test_a_database_url_that_is_none_is_a_sentence(run, monkeypatch):
    monkeypatch.setenv("ATELIER_DATABASE_URL", "none")
    assert "ATELIER_DATABASE_URL=" in run("keys", "list", status=1).output


@pytest.mark.long
def test_migrate_prints_the_version_of_the_schema(run, empty_database_url, monkeypatch):
    monkeypatch.setenv("ATELIER_DATABASE_URL", empty_database_url)
    first = run("migrate").stdout
    assert "The schema is at version 0" in first
    assert first == run("migrate").stdout


@pytest.mark.contract("F24")
class TestDoctor:
    @pytest.fixture(autouse=True)
    def catalog(self, monkeypatch, request):
        monkeypatch.setenv("ATELIER_CATALOG", str(request.config.rootpath / "tests" / "support" / "models.toml"))

    def findings(self, run, status: int) -> dict[str, str]:
        lines = run("doctor", status=status).stdout.splitlines()
        return {line[6:].partition(":")[0]: line for line in lines if ":" in line}

    def test_every_check_is_listed_and_has_no_error(self, run):
        found = self.findings(run, 0)
        expected = {"device", "attention", "weights", "secret", "database", "schema", "clock", "broker", "store"}
        assert expected | {"decoder"} == set(found)
        assert not [line for line in found.values() if line.startswith("wrong")]

    def test_what_is_stored_is_said(self, run, rows, monkeypatch):
        found = self.findings(run, 0)
        assert re.search(r"PostgreSQL [\d.]+, [\d.]+ MB on its disk$", found["database"])
        assert re.search(r"store: file:///\S+, files not counted yet, [\d.]+ [GT]B free$", found["store"])
        rows.execute(measure())
        assert re.search(r"0 files 0 bytes \(counted (at|on) ", self.findings(run, 0)["store"])
        monkeypatch.setattr(checks, "LEAST_FREE_BYTES", 10**18)
        assert "make room" in self.findings(run, 0)["store"]

    def test_only_the_checks_that_are_named_are_run(self, run):
        said = run("doctor", "--check", "secret", "--check", "clock", status=0).stdout.splitlines()
        assert ["secret", "clock"] == [line[6:].partition(":")[0] for line in said]
        assert "disks" in run("doctor", "--check", "disks", status=2).output

    def test_what_the_kernel_takes_from_the_decoder_is_said(self, run, monkeypatch):
        given = Confinement(no_new_privileges=True, no_capabilities=True, landlock=0, seccomp=True)
        monkeypatch.setattr(checks, "try_confinement", lambda: given)
        monkeypatch.setattr(checks, "unprivileged_account", lambda: "daemon")
        line = self.findings(run, 0)["decoder"]
        assert line.startswith("note")
        assert "no new privileges, no capabilities, seccomp" in line
        assert "not Landlock, which this machine does not give" in line

    def test_its_findings_are_also_json(self, run):
        found = msgspec.json.decode(run("doctor", "--json").stdout)
        assert {"database": "ok", "store": "ok"}.items() <= {one["name"]: one["status"] for one in found}.items()

    def test_its_lines_fit_a_terminal(self, run, monkeypatch):
        for name, value in {"TTY_COMPATIBLE": "1", "COLUMNS": "60"}.items():
            monkeypatch.setenv(name, value)
        lines = run("doctor").stdout.splitlines()
        assert any(line.startswith("      ") for line in lines)
        assert [line for line in lines if len(line) > 60] == []

    def test_an_unreachable_database_leaves_the_other_checks(self, run, monkeypatch, tmp_path):
        monkeypatch.setenv("ATELIER_DATABASE_URL", f"postgresql://x@/y?host={tmp_path}")
        found = self.findings(run, 1)
        assert found["database"].startswith("wrong database: The database does not answer: ")
        assert found["clock"].endswith(" Start `atelier up`, or correct ATELIER_DATABASE_URL.")
        assert found["broker"].startswith("ok")

    def test_before_any_service_it_says_how_to_start_one(self, run, environment, monkeypatch):
        for name in environment.keys() - {"ATELIER_DATA"}:
            monkeypatch.delenv(name)
        found = self.findings(run, 1)
        assert {"device", "attention", "weights", "decoder", "service"} == set(found)
        assert found["service"].startswith(f"wrong service: no `atelier up` runs on {environment['ATELIER_DATA']}, and")
        assert "Start `atelier up`" in found["service"]
        assert "wrong service" in run("doctor", "--check", "database", status=1).stdout
        assert "service" not in run("doctor", "--check", "decoder").stdout

    def test_an_old_schema_is_an_error_with_advice(self, run, empty_database_url, monkeypatch):
        monkeypatch.setenv("ATELIER_DATABASE_URL", empty_database_url)
        assert "run `atelier migrate`" in self.findings(run, 1)["schema"]

    def test_an_unreachable_broker_is_an_error(self, run, monkeypatch):
        monkeypatch.setenv("ATELIER_BROKER_URL", "redis://127.0.0.1:1/0")
        assert "jobs still run, but start and report late" in self.findings(run, 1)["broker"]

    def test_missing_weights_are_listed(self, run, monkeypatch, tmp_path):
        monkeypatch.delenv("ATELIER_CATALOG")
        monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path))
        outcome = CliRunner().invoke(atelier, ["doctor"])
        (line,) = (line for line in outcome.output.splitlines() if "not fetched: " in line)
        assert "flux2-klein-4b, " in line
        assert line.endswith("`atelier weights fetch NAME` brings one")
        assert "is missing" not in outcome.output  # what was never fetched has no files to name

    def test_a_model_that_is_here_in_part_says_what_it_lacks(self, run, monkeypatch, tmp_path):
        monkeypatch.delenv("ATELIER_CATALOG")
        monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path))
        bundle = next(spec for spec in load_catalog().models if spec.id == "u2net").bundles[0]
        facts = read_locks(None, tmp_path, load_catalog()).models[bundle.key].files
        name, file = next(iter(facts.items()))
        bundle.directory(tmp_path).mkdir(parents=True)
        with (bundle.directory(tmp_path) / name).open("wb") as sparse:
            sparse.truncate(file.size)
        (bundle.directory(tmp_path) / "stray.bin").touch()
        outcome = CliRunner().invoke(atelier, ["doctor", "--check", "weights"])
        assert "stray.bin" in outcome.output

    def test_an_unreachable_store_is_an_error(self, run, monkeypatch):
        monkeypatch.setenv("ATELIER_STORAGE_URL", "s3://bucket?endpoint=http://127.0.0.1:1&access_key=a&secret_key=b")
        assert self.findings(run, 1)["store"].startswith("wrong")

    def test_a_missing_secret_is_an_error(self, run, monkeypatch):
        monkeypatch.delenv("ATELIER_SECRET_KEY")
        assert "ATELIER_SECRET_KEY is not set" in self.findings(run, 1)["secret"]
