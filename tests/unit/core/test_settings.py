"""Settings: read once from the environment, and each of them documented."""

import re
import socket

import msgspec
import pytest

from core.settings import Settings, read_settings
from tests.support.paths import DOCS

PAGE = DOCS / "settings.md"
FIELDS = {f"ATELIER_{field.name.upper()}": field for field in msgspec.structs.fields(Settings)}
ROW = re.compile(r"^\| `(ATELIER_\w+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def documented():
    return {name: (default, unit, meaning) for name, default, unit, meaning in ROW.findall(PAGE.read_text())}


def as_documented(value):
    if value == "":
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:.10g}`" if isinstance(value, float) else f"`{value}`"


def test_every_setting_is_documented_and_no_other():
    assert FIELDS.keys() == documented().keys()
    assert len(FIELDS) == len(ROW.findall(PAGE.read_text()))


@pytest.mark.parametrize("name", FIELDS)
def test_the_documented_default_is_the_default(name):
    default, unit, meaning = documented()[name]
    if name == "ATELIER_SERVER_ID":
        assert "the machine's host name" == default
    else:
        assert as_documented(FIELDS[name].default) == default
    assert unit.strip()
    assert meaning.endswith(".")


def test_without_an_environment_the_defaults_hold():
    assert Settings() == read_settings({})
    assert socket.gethostname() == read_settings({}).server_id


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("ATELIER_DATABASE_URL", "postgresql://db/x", "database_url", "postgresql://db/x"),
        ("ATELIER_LEASE_SECONDS", "0.5", "lease_seconds", 0.5),
        ("ATELIER_MAX_ATTEMPTS", "7", "max_attempts", 7),
        ("ATELIER_DEVELOPMENT", "1", "development", True),
        ("ATELIER_DEVELOPMENT", "true", "development", True),
        ("ATELIER_DEVELOPMENT", "0", "development", False),
        ("ATELIER_DEVELOPMENT", "false", "development", False),
        ("ATELIER_SERVER_ID", "42", "server_id", "42"),
        ("ATELIER_SECRET_KEY", "", "secret_key", ""),
    ],
)
def test_a_variable_sets_its_field(variable, text, field, value):
    assert value == getattr(read_settings({variable: text}), field)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ATELIER_MAX_ATTEMPTS", "three"),
        ("ATELIER_MAX_ATTEMPTS", "1.5"),
        ("ATELIER_MAX_ATTEMPTS", ""),
        ("ATELIER_LEASE_SECONDS", "soon"),
        ("ATELIER_DEVELOPMENT", "perhaps"),
    ],
)
def test_a_value_that_does_not_fit_names_its_variable(variable, text):
    with pytest.raises(ValueError, match=variable):
        read_settings({variable: text})


def test_a_secret_can_come_from_a_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("from the file\n")
    environment = {"ATELIER_SECRET_KEY_FILE": str(secret), "ATELIER_SECRET_KEY": "from the environment"}
    assert "from the file" == read_settings(environment).secret_key


def test_an_unreadable_file_names_its_variable(tmp_path):
    with pytest.raises(ValueError, match="ATELIER_SECRET_KEY_FILE"):
        read_settings({"ATELIER_SECRET_KEY_FILE": str(tmp_path / "missing")})


def test_a_wrong_value_in_a_file_is_not_repeated(tmp_path):
    """What a `_FILE` holds may be a secret in the wrong place."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    with pytest.raises(ValueError, match="ATELIER_MAX_ATTEMPTS") as caught:
        read_settings({"ATELIER_MAX_ATTEMPTS_FILE": str(secret)})
    assert "hunter2" not in str(caught.value)


def test_other_variables_are_ignored():
    assert Settings() == read_settings({"ATELIER_URL": "http://x", "PATH": "/bin", "LEASE_SECONDS": "1"})


def test_settings_are_frozen():
    with pytest.raises(AttributeError):
        Settings().lease_seconds = 1.0
