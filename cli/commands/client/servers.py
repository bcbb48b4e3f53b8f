"""`atelier servers`: the GPU servers, and what an operator may have them do."""

from typing import TYPE_CHECKING

import rich_click as click

from cli.http.connection import with_client
from cli.lazy import ListingGroup
from cli.output.tables import json_option, print_json, print_table

if TYPE_CHECKING:
    from cli.http.client import Client
    from jobs.wire.servers import ResidentModel, ServerAnswer

GIGABYTE = 1e9


@click.group(cls=ListingGroup)
def servers() -> None:
    """List the GPU servers and, with an admin's key, order them about. Without a command: list."""


@servers.command("list")
@json_option
@with_client
def list_(client: "Client", as_json: bool) -> None:
    """The GPU servers: state, device, memory, what they serve and hold."""
    known = client.servers()
    if as_json:
        print_json(known)
        return
    rows = [
        [
            server.server_id,
            _state(server),
            server.device,
            _memory(server),
            ", ".join(server.serves),
            ", ".join(map(_held, server.models)) or ", ".join(server.resident),
            _heard(server),
        ]
        for server in known
    ]
    print_table(["server", "state", "device", "memory", "serves", "holds", "heard"], rows)


@servers.command()
@click.argument("name")
@json_option
@with_client
def show(client: "Client", name: str, as_json: bool) -> None:
    """Everything about one server."""
    server = client.server(name)
    if as_json:
        print_json(server)
        return
    facts = {
        "server": server.server_id,
        "state": _state(server),
        "wanted": server.desired,
        "job": server.current_job,
        "device": server.device,
        "memory": _memory(server),
        "serves": "\n".join(server.serves),
        "holds": "\n".join(map(_held, server.models)) or "\n".join(server.resident),
        "heard": _heard(server),
        "versions": "\n".join(f"{name} {version}" for name, version in sorted(server.versions.items())),
    }
    print_table(["", ""], [[name, fact] for name, fact in facts.items() if fact])


@servers.command()
@click.argument("name")
@with_client
def cordon(client: "Client", name: str) -> None:
    """Have a server take no more jobs; those that ask for it wait."""
    _tell(client.wish(name, "cordon"))


@servers.command()
@click.argument("name")
@with_client
def uncordon(client: "Client", name: str) -> None:
    """Have a server take jobs again, after cordon or drain."""
    _tell(client.wish(name, "uncordon"))


@servers.command()
@click.argument("name")
@click.option("--wait", is_flag=True, help="Stay until nothing is left on it; Ctrl-C ends only the waiting.")
@with_client
def drain(client: "Client", name: str, wait: bool) -> None:
    """Have a server finish what it has and take no more; its process stays up."""
    server = client.wish(name, "drain")
    if wait:
        from cli.http.progress import await_drained

        server = await_drained(client, name)
    _tell(server)


@servers.command()
@click.argument("name")
@click.argument("model")
@click.option("--pin", is_flag=True, help="Keep it until it is unloaded by name.")
@with_client
def preload(client: "Client", name: str, model: str, pin: bool) -> None:
    """Have a server load a model before a job needs it."""
    client.order(name, "preload", {"model": model, "pin": pin})
    click.echo(f"{name} loads {model}.")


@servers.command()
@click.argument("name")
@click.argument("model", required=False)
@with_client
def unload(client: "Client", name: str, model: str | None) -> None:
    """Have a server take a model out of its device's memory; every one, when none is named."""
    client.order(name, "unload", {"model": model})
    click.echo(f"{name} unloads {model or 'every model'}.")


@servers.command()
@click.argument("name")
@with_client
def recycle(client: "Client", name: str) -> None:
    """Have a server start a fresh engine once its running job is done."""
    client.order(name, "recycle")
    click.echo(f"{name} starts a fresh engine.")


@servers.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Even though jobs wait for it alone; they go on waiting.")
@with_client
def remove(client: "Client", name: str, force: bool) -> None:
    """Take a server that is gone for good off the list."""
    client.remove_server(name, force=force)
    click.echo(f"{name} is off the list; a worker that starts under this name is back on it.")


def _tell(server: "ServerAnswer") -> None:
    click.echo(f"{server.server_id}: {_state(server)}")


def _state(server: "ServerAnswer") -> str:
    """The server's own word, what is wanted of it where that says something else, and whether it is dedicated."""
    saying_so = server.desired == "draining" and server.state in ("draining", "drained")
    wanted = "" if server.desired == "active" or saying_so else f", {server.desired}"
    return server.state + wanted + (", dedicated" if server.dedicated else "")


def _memory(server: "ServerAnswer") -> str:
    return f"{server.memory_used / GIGABYTE:.1f} of {server.memory_total / GIGABYTE:.1f} GB"


def _held(model: "ResidentModel") -> str:
    where = "" if model.where == "device" else f" on the {model.where}"
    return f"{model.id} {model.bytes / GIGABYTE:.1f} GB{where}{', pinned' if model.pinned else ''}"


def _heard(server: "ServerAnswer") -> str:
    return f"{server.heartbeat_age_seconds:.0f} s ago"
