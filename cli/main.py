"""The command `atelier`."""

import rich_click as click

from cli.lazy import LazyGroup

HOST = "cli.commands.host"
CLIENT = "cli.commands.client"
COMMANDS = {
    "up": (f"{HOST}.up:up", "Start everything on this machine and keep it running until Ctrl-C."),
    "demo": (
        f"{HOST}.demo:demo",
        "Start everything in a temporary folder, make one of everything, stop everything.",
    ),
    "generate": (f"{CLIENT}.generate:generate", "Generate media and save it in a file."),
    "jobs": (
        f"{CLIENT}.jobs:jobs",
        "Submit, list, show, watch, download, reproduce, cancel, delete and redrive jobs; pause the queue.",
    ),
    "chains": (
        f"{CLIENT}.chains:chains",
        "Submit, list, show and cancel chains: jobs of which one's output is another's input.",
    ),
    "storyboards": (f"{CLIENT}.storyboards:storyboards", "Make one film of several shots."),
    "media": (
        f"{CLIENT}.media:media",
        "Upload, find, show, tag, publish, download and delete what the media library has.",
    ),
    "voices": (f"{CLIENT}.voices:voices", "Keep voices for `atelier generate speech --voice ID`."),
    "models": (
        f"{CLIENT}.models:models",
        "List the models of the catalog: availability, license, size on disk, and what they take of a card.",
    ),
    "usage": (
        f"{CLIENT}.usage:usage",
        "Show what jobs have taken and cost: by model, key, server or tenant, in all or by time.",
    ),
    "mcp": (
        f"{CLIENT}.mcp:mcp",
        "Offer the tools to an agent on this machine, over stdin and stdout (Model Context Protocol).",
    ),
    "servers": (f"{CLIENT}.servers:servers", "List the GPU servers; cordon, drain, preload and restart them."),
    "api": (f"{HOST}.api:api", "Run the API; settings come from the environment (docs/settings.md)."),
    "worker": (f"{HOST}.worker:worker", "Run one worker; settings come from the environment (docs/settings.md)."),
    "migrate": (f"{HOST}.migrate:migrate", "Migrate the database to the schema of this version."),
    "keys": (f"{HOST}.keys:keys", "Create, list and revoke API keys."),
    "retention": (f"{HOST}.retention:retention", "Show and set the retention of a tenant's data after the job's end."),
    "webhooks": (f"{CLIENT}.webhooks:webhooks", "Manage webhook endpoints, their deliveries and their secrets."),
    "completion": (
        f"{CLIENT}.completion:completion",
        "Print the script by which a shell completes commands and options.",
    ),
    "weights": (f"{HOST}.weights:weights", "Manage model files and weights.lock."),
    "logs": (f"{HOST}.logs:logs", "Print the logs of the `atelier up` on this machine."),
    "doctor": (f"{HOST}.doctor:doctor", "Check device, weights, database, broker and store, and say what to fix."),
}
"""Place and summary of every command; the summary is the first sentence of the command's own help."""


HELP = {
    "options_table_column_types": ["required", "opt_all", "metavar_short", "help"],
    "options_table_help_sections": ["help", "range", "envvar", "default"],
}
"""What a help shows of an option: the range of a number, which is long, stands after the sentence about it."""


@click.group(cls=LazyGroup, commands=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.rich_config(HELP)
@click.version_option(package_name="atelier", prog_name="atelier")
def atelier() -> None:
    """Run a self-hosted GPU service for generated media.

    `atelier up` starts everything on this machine; the other commands send it work or run one of its processes.

    Exit status: 0 done; 1 refused, failed or cancelled; 2 typed wrongly; 124 timed out; 130 interrupted by Ctrl-C.
    """


if __name__ == "__main__":
    atelier()
