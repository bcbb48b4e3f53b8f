"""`atelier worker gpu|cpu`: one worker process."""

import sys

import rich_click as click


@click.group()
def worker() -> None:
    """Run one worker; settings come from the environment (docs/settings.md)."""


@worker.command()
@click.option(
    "--server-id",
    envvar="ATELIER_SERVER_ID",
    show_envvar=True,
    help="Name of the server; default: this machine's host name.",
)
@click.option("--dedicated", is_flag=True, help="Take only jobs that ask for this server.")
@click.option(
    "--preload", multiple=True, metavar="MODEL", help="Load this model at the start and keep it; may be repeated."
)
def gpu(server_id: str | None, dedicated: bool, preload: tuple[str, ...]) -> None:
    """Run a GPU worker, one per GPU. On a machine without a GPU it computes on the CPU."""
    from workers.gpu.main import main  # neither worker loads the other's libraries

    sys.exit(main(server_id, dedicated=dedicated, preload=preload))


@worker.command()
def cpu() -> None:
    """Run a CPU worker: inputs, webhooks, maintenance and retention. At least one must run."""
    from workers.cpu.main import main

    main()
