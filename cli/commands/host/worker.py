"""`atelier worker gpu|cpu`: one worker process."""

import sys

import rich_click as click


@click.group()
def worker() -> None:
    """Run one worker; settings come from the environment (docs/settings.md)."""


@worker.command()
@click.option("--server-id", envvar="ATELIER_SERVER_ID", show_envvar=True, help="Its name; default: this machine's.")
@click.option("--dedicated", is_flag=True, help="Take only jobs that ask for this server.")
@click.option("--preload", multiple=True, metavar="MODEL", help="Load it at the start and keep it; may be repeated.")
def gpu(server_id: str | None, dedicated: bool, preload: tuple[str, ...]) -> None:
    """A GPU worker: one per GPU. On a machine without one it computes on the CPU."""
    from workers.gpu.main import main

    sys.exit(main(server_id, dedicated=dedicated, preload=preload))


@worker.command()
def cpu() -> None:
    """A CPU worker: webhooks and upkeep. At least one must run."""
    from workers.cpu.main import main

    main()
