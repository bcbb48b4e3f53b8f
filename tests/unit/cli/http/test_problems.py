"""Refusals of the API, as a command shows them."""

import re
from importlib import import_module

import httpx
import pytest
import rich_click as click
from click.testing import CliRunner

from atelier_client import calls
from cli.commands.client.webhooks import webhooks
from cli.http.problems import ADVICE, COMMANDS, ApiError, ApiUnavailable, in_commands, shown, typed_fields
from cli.main import COMMANDS as MAIN
from tests.support.paths import ROOT

SENTENCES = ("core/errors", "jobs/params", "api/submit")
ALONE = ("jobs/wire/wait_reasons.py", "pipelines/catalog/loader.py", "api/http/problems.py")
"""Where the service has sentences for callers."""
ROUTE = re.compile(r"\b(?:GET|POST|PUT|PATCH|DELETE) /[\w/{}]+")


def client_commands() -> list[click.Command]:
    """Every command that calls the API."""
    found: list[click.Command] = []
    for place in MAIN.values():
        if ".client." in place[0]:
            module, _, attribute = place[0].partition(":")
            command = getattr(import_module(module), attribute)
            found += command.commands.values() if isinstance(command, click.Group) else [command]
    assert len(found) > 20
    return found


def answer(status: int = 422, **problem: str) -> httpx.Response:
    return httpx.Response(status, json=problem, request=httpx.Request("GET", "http://api/me/v1"))


def refusal(response: httpx.Response) -> str:
    """The text that a command with an option and an argument prints for this answer."""

    @click.command()
    @click.argument("prompt")
    @click.option("--input", "input_image")
    @click.option("-n", "--num-images", "num_images")
    def command(**values: str) -> None:
        error = shown(calls.refusal(response))
        assert isinstance(error, ApiError)
        click.echo(error.message)

    return CliRunner().invoke(command, ["a star"], catch_exceptions=False).output.strip()


def test_every_route_in_a_sentence_is_a_command_here():
    files = [file for place in SENTENCES for file in (ROOT / place).rglob("*.py")] + [ROOT / file for file in ALONE]
    found = {route for file in files for route in ROUTE.findall(file.read_text())}
    assert {"GET /models/v1", "POST /inputs/v1"} <= found <= COMMANDS.keys()


@pytest.mark.parametrize("sentence", [*COMMANDS.values(), *ADVICE.values()])
def test_nothing_of_http_is_in_a_sentence_of_the_command_line(sentence):
    assert not re.search(r"\b(GET|POST|PATCH|DELETE|X-API-Key|Content-Type|Retry-After)\b", sentence)


def test_a_longer_route_wins():
    assert "`atelier webhooks deliveries` lists" == in_commands("GET /webhooks/v1/deliveries lists")


@pytest.mark.parametrize(
    ("detail", "field", "text"),
    [
        ("GET /models/v1 lists the models.", None, "`atelier models` lists the models."),
        ("This has no host; correct it.", "$.input_image", "This has no host; correct it. (--input)"),
        ("`num_images` is at most 4.", "$.num_images", "`--num-images` is at most 4."),
        ("Too long.", "$.prompt", "Too long. (PROMPT)"),
        ("Too long.", "$.reference_images[2]", "Too long. (field $.reference_images[2])"),
        ("Too long.", "query.prompt", "Too long. (PROMPT)"),
        ("Send it.", "$", "Send it. (field $)"),
    ],
)
def test_fields_are_options_of_the_command(detail, field, text):
    problem = {"code": "some_code", "detail": detail} | ({"field": field} if field else {})
    assert f"{text} [some_code]" == refusal(answer(**problem))


def test_a_field_is_never_an_option_of_the_connection():
    """The URL of an endpoint is the word that was typed, not --url, which is where the API is."""
    detail = "`url` leads to a private address; correct it."
    response = answer(code="forbidden_url", detail=detail, field="$.url")
    context = webhooks.commands["add"].make_context("add", ["http://10.0.0.1/hook"])
    with context:
        error = shown(calls.refusal(response))
    assert "`URL` leads to a private address; correct it. [forbidden_url]" == error.message


@pytest.mark.parametrize("command", client_commands(), ids=lambda command: command.name)
def test_no_field_is_named_by_an_option_of_the_connection(command):
    with click.Context(command):
        assert not {"--url", "--key", "--data"} & set(typed_fields().values())


def test_a_refused_key_names_its_option():
    text = refusal(answer(401, code="unauthenticated", detail="send one as X-API-Key or Authorization: Bearer."))
    assert "give --key, or set ATELIER_API_KEY" in text
    assert "X-API-Key" not in text


def test_an_answer_of_a_proxy_is_shown_as_it_is():
    error = shown(calls.refusal(httpx.Response(502, text="gateway down")))
    assert (ApiUnavailable, "gateway down [502]") == (type(error), error.message)
