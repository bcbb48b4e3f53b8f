"""The command `atelier`."""

import rich_click as click

from cli.lazy import LazyGroup

COMMANDS = {
    "up": "cli.commands.host.up:up",
    "demo": "cli.commands.host.demo:demo",
    "generate": "cli.commands.client.generate:generate",
    "jobs": "cli.commands.client.jobs:jobs",
    "voices": "cli.commands.client.voices:voices",
    "models": "cli.commands.client.models:models",
    "servers": "cli.commands.client.servers:servers",
    "api": "cli.commands.host.api:api",
    "worker": "cli.commands.host.worker:worker",
    "migrate": "cli.commands.host.migrate:migrate",
    "keys": "cli.commands.host.keys:keys",
    "retention": "cli.commands.host.retention:retention",
    "webhooks": "cli.commands.client.webhooks:webhooks",
    "weights": "cli.commands.host.weights:weights",
    "doctor": "cli.commands.host.doctor:doctor",
}


@click.group(cls=LazyGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="atelier", prog_name="atelier")
def atelier() -> None:
    """A self-hosted GPU service for generated media.

    `atelier up` starts everything on this machine; the other commands ask it for work, or run one part of it.
    """


if __name__ == "__main__":
    atelier()
