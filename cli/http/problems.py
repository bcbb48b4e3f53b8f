"""Refusals of the API, in the words of the command line."""

import re

import rich_click as click

from atelier_client import errors

COMMANDS = {
    "GET /jobs/v1": "`atelier jobs list`",
    "POST /jobs/v1/resume": "`atelier jobs resume`",
    "GET /keys/v1": "`atelier keys list`",
    "PATCH /keys/v1/{key_id}": "the API's keys",
    "DELETE /keys/v1/{key_id}": "`atelier keys revoke`",
    "GET /media/v1": "`atelier media list`",
    "DELETE /media/v1/{media_id}": "`atelier media delete`",
    "GET /models/v1": "`atelier models`",
    "languages in GET /models/v1": "languages in `atelier models --json`",
    "GET /profiles/v1": "the API's list of profiles",
    "POST /profiles/v1": "the API's profiles",
    "DELETE /profiles/v1/{profile_id}": "the API's profiles",
    "GET /v1/entities": "the API's list of entities",
    "POST /v1/entities/{entity_id}/archive": "the API's entities",
    "GET /openai/v1/files": "the API's list of files",
    "GET /openai/v1/batches": "the API's list of batches",
    "GET /servers/v1": "`atelier servers`",
    "GET /voices/v1": "`atelier voices list`",
    "GET /chains/v1": "`atelier chains list`",
    "GET /webhooks/v1": "`atelier webhooks list`",
    "GET /webhooks/v1/deliveries": "`atelier webhooks deliveries`",
    "DELETE /voices/v1/{voice_id}": "`atelier voices remove`",
    "DELETE /webhooks/v1/{webhook_id}": "`atelier webhooks remove`",
    "POST /inputs/v1": "the name of a local file",
    "?force=true": "--force",
}
"""What a sentence of the API names, and what the command line has for it."""

UNAUTHENTICATED = "unauthenticated"
"""The code of a key that is missing or not valid."""
ADVICE = {
    UNAUTHENTICATED: "The API key is missing or not valid; give --key, or set ATELIER_API_KEY. `atelier keys create`"
    " makes one.",
    "webhook_disabled": "This webhook endpoint is disabled or was removed; `atelier webhooks enable` brings it back.",
    "unknown_input": "This input does not exist or was used up; name a local file instead, which is uploaded.",
    "body_too_large": "The request is too large; name local files, which are uploaded, and shorten what is typed.",
    "rate_limited": "This key sends requests faster than its rate limit; wait some seconds, then run it again.",
    "too_many_unknown_keys": "Too many requests with unknown keys came from this address; wait some seconds, then give"
    " a valid --key.",
}
"""The sentences for codes whose own ones are about HTTP."""

NO_ROUTE = "not_found"
"""The code of a path that the API does not have."""
CONNECTION = ("api_url", "api_key", "data")
"""Names of the options of `cli.http.connection`."""

ROUTE = re.compile("|".join(re.escape(route) for route in sorted(COMMANDS, key=len, reverse=True)))


class ApiError(errors.ApiError, click.ClickException):
    """A refusal of the API; its text is shown on the terminal."""

    def __init__(self, text: str, code: str = "") -> None:
        errors.ApiError.__init__(self, text)
        click.ClickException.__init__(self, text)
        self.code = code


class ApiUnavailable(ApiError, errors.ApiUnavailable):
    """An API that does not answer, or answers with 5xx; the same call may work later."""


def shown(error: errors.ApiError) -> ApiError:
    """Return an error of the SDK as the command line shows it: the sentence, its option, its code."""
    code = error.code or error.status
    if isinstance(error, errors.UnreadableAnswer):
        text = error.detail.replace("use a client of its version", "use the CLI of its version")
    elif isinstance(error, errors.ApiUnavailable) and error.status is None:
        text = f"{error.detail}; start one on this machine with `atelier up`"
    else:
        text = f"{_sentence(error)} [{code}]"
    return (ApiUnavailable if isinstance(error, errors.ApiUnavailable) else ApiError)(text, error.code)


def in_commands(text: str) -> str:
    """Return a sentence of the API with commands in the place of its routes."""
    return ROUTE.sub(lambda match: COMMANDS[match[0]], text)


def _sentence(problem: errors.ApiError) -> str:
    """Return the sentence of a problem, with the options of the running command in the place of the fields."""
    options = typed_fields()
    text = in_commands(ADVICE.get(problem.code, problem.detail))
    text = re.sub(r"`(\w+)`", lambda match: f"`{options.get(match[1], match[1])}`", text)
    if problem.field is None:
        return text
    name = re.split(r"\W", problem.field.removeprefix("$.").removeprefix("query."))[0]
    option = options.get(name, f"field {problem.field}")
    return text if option in text else f"{text} ({option})"


def typed_fields() -> dict[str, str]:
    """Return how each field is typed in the running command, by its name: that of an option, or of an argument's word.

    The options by which a command finds the API are no fields.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return {}
    params = context.command.params
    options = {one.name: max(one.opts, key=len) for one in params if isinstance(one, click.Option)}
    words = {one.make_metavar(context).strip("[]."): one.name for one in params if isinstance(one, click.Argument)}
    of_words = {name: word for word, own in words.items() for name in (own, word.lower())}
    return {name: typed for name, typed in options.items() if name not in CONNECTION} | of_words
