"""The command `atelier`."""

import rich_click as click

from cli.lazy import LazyGroup

COMMANDS = {
    "up": "cli.commands.up:up",
    "demo": "cli.commands.demo:demo",
    "generate": "cli.commands.generate:generate",
    "jobs": "cli.commands.jobs:jobs",
    "voices": "cli.commands.voices:voices",
    "models": "cli.commands.models:models",
    "servers": "cli.commands.servers:servers",
    "api": "cli.commands.api:api",
    "worker": "cli.commands.worker:worker",
    "migrate": "cli.commands.migrate:migrate",
    "keys": "cli.commands.keys:keys",
    "retention": "cli.commands.retention:retention",
    "webhooks": "cli.commands.webhooks:webhooks",
    "weights": "cli.commands.weights:weights",
    "doctor": "cli.commands.doctor:doctor",
}


@click.group(cls=LazyGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="atelier", prog_name="atelier")
def atelier() -> None:
    """A self-hosted GPU service for generated media.

    `atelier up` starts everything on this machine; the other commands ask it for work, or run one part of it.
    """


if __name__ == "__main__":
    atelier()
