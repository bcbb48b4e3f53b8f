"""Which API a command calls, and with which key."""

import pytest
import rich_click as click
from click.testing import CliRunner

from cli.http.connection import with_client
from cli.local.data_dir import DataDirectory
from tests.support.service.scripted_api import problem, scripted_api

ENVIRONMENT = {"ATELIER_URL": "http://env.example", "ATELIER_API_KEY": "atl_env"}


@click.command()
@with_client
def ask(client):
    """Print the API and the key, or call it."""
    click.echo(f"{client.url} {client.key}")
    if "127.0.0.1" in client.url:
        client.models()


@pytest.fixture
def data(tmp_path):
    """A data directory with a key, of a service elsewhere."""
    directory = DataDirectory(tmp_path)
    directory.write_settings({"ATELIER_URL": "http://data.example"})
    directory.admin_key.write_text("atl_data\n")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("words", "environment", "asked"),
    [
        (["--data"], ENVIRONMENT, "http://data.example atl_data"),
        (["--key", "atl_typed", "--data"], ENVIRONMENT, "http://data.example atl_typed"),
        (["--url", "http://typed.example", "--data"], ENVIRONMENT, "http://typed.example atl_data"),
        ([], ENVIRONMENT, "http://env.example atl_env"),
        ([], {}, "http://data.example atl_data"),
    ],
)
def test_what_is_typed_wins_over_the_environment(words, environment, asked, data):
    words = [*words, data] if words else []
    outcome = CliRunner().invoke(ask, words, env={"ATELIER_DATA": data} | environment, catch_exceptions=False)
    assert f"{asked}\n" == outcome.output


@pytest.mark.parametrize(
    ("words", "environment", "place"),
    [
        (["--key", "atl_typed"], ENVIRONMENT, "--key"),
        ([], ENVIRONMENT, "ATELIER_API_KEY"),
        ([], {}, "{data}/admin.key"),
    ],
)
def test_a_refusal_says_where_the_key_came_from(words, environment, place, data):
    with scripted_api() as api:
        api.add("/models/v1", problem("unauthenticated", "Send a key."), 401)
        settings = {"ATELIER_DATA": data, "COLUMNS": "400"} | environment | {"ATELIER_URL": api.url}
        outcome = CliRunner().invoke(ask, words, env=settings)
    assert 1 == outcome.exit_code
    said = f"{api.url} refused the key of {place.format(data=data)}. The API key is missing or not valid;"
    assert said in " ".join(outcome.output.split())
