"""`atelier servers`: the GPU servers and the commands that an operator gives them."""

import rich_click as click

from atelier_client.models import ResidentModel, ServerAnswer
from cli.http.client import Client
from cli.http.connection import with_client
from cli.http.progress import await_drained, await_followed, has_followed
from cli.lazy import ListingGroup
from cli.output.sizes import format_stored
from cli.output.tables import few, json_option, print_facts, print_folded, print_json, print_table

GIGABYTE = 1e9


@click.group(cls=ListingGroup)
def servers() -> None:
    """List the GPU servers; cordon, drain, preload and restart them.

    The commands other than list and show need a key with the admin scope.
    """


@servers.command("list")
@json_option
@with_client
def list_(client: Client, as_json: bool) -> None:
    """List the GPU servers: state, device, memory, served models and models in memory."""
    listed = client.server_list()
    answers = listed.servers
    if as_json:
        print_json(answers)
        return
    rows = [
        [
            server.server_id,
            _format_state(server),
            server.device,
            _format_memory(server),
            few(server.serves),
            few(list(map(_format_model, server.models)) or server.resident),
            _format_heartbeat(server),
        ]
        for server in answers
    ]
    titles = ["server", "state", "device", "memory", "serves", "in memory", "heartbeat"]
    print_table(titles, rows, optional=["serves", "memory", "device", "in memory", "heartbeat"])
    if listed.stored is not None:
        print_folded(f"stored: {format_stored(listed.stored)}")


@servers.command()
@click.argument("name")
@json_option
@with_client
def show(client: Client, name: str, as_json: bool) -> None:
    """Show all facts about one server."""
    server = client.server(name)
    if as_json:
        print_json(server)
        return
    facts = {
        "server": server.server_id,
        "state": _format_state(server),
        "desired": server.desired,
        "job": server.current_job,
        "device": server.device,
        "memory": _format_memory(server),
        "serves": "\n".join(server.serves),
        "in memory": "\n".join(map(_format_model, server.models)) or "\n".join(server.resident),
        "warnings": "\n".join(f"{model.id} {text}" for model in server.models for text in model.warnings),
        "heartbeat": _format_heartbeat(server),
        "versions": "\n".join(f"{name} {version}" for name, version in sorted(server.versions.items())),
    }
    print_facts(facts)


@servers.command()
@click.argument("name")
@with_client
def cordon(client: Client, name: str) -> None:
    """Stop a server from claiming jobs; jobs that ask for it wait."""
    _print_followed(client, client.set_desired_state(name, "cordon"))


@servers.command()
@click.argument("name")
@with_client
def uncordon(client: Client, name: str) -> None:
    """Let a server claim jobs again, after cordon or drain."""
    _print_followed(client, client.set_desired_state(name, "uncordon"))


@servers.command()
@click.argument("name")
@click.option("--wait", is_flag=True, help="Wait until its last job has ended; Ctrl-C ends only the waiting.")
@with_client
def drain(client: Client, name: str, wait: bool) -> None:
    """Let a server finish its jobs and claim no more; its process stays up."""
    server = client.set_desired_state(name, "drain")
    _print_followed(client, await_drained(client, name) if wait else server)


@servers.command()
@click.argument("name")
@click.argument("model")
@click.option("--pin", is_flag=True, help="Keep the model until it is unloaded by name.")
@with_client
def preload(client: Client, name: str, model: str, pin: bool) -> None:
    """Load a model on a server before a job needs it."""
    client.send_command(name, "preload", {"model": model, "pin": pin})
    click.echo(f"{name} loads {model}.")


@servers.command()
@click.argument("name")
@click.argument("model", required=False)
@with_client
def unload(client: Client, name: str, model: str | None) -> None:
    """Unload a model, or every model, from the device memory of a server."""
    client.send_command(name, "unload", {"model": model})
    click.echo(f"{name} unloads {model or 'every model'}.")


@servers.command()
@click.argument("name")
@with_client
def recycle(client: Client, name: str) -> None:
    """Restart the engine of a server after its running job."""
    client.send_command(name, "recycle")
    click.echo(f"{name} starts a fresh engine.")


@servers.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Even if jobs wait for this server alone; they keep waiting.")
@with_client
def remove(client: Client, name: str, force: bool) -> None:
    """Remove a server that will not come back from the list."""
    client.remove_server(name, force=force)
    click.echo(f"{name} is removed; a worker that starts under this name registers it again.")


def _print_followed(client: Client, server: ServerAnswer) -> None:
    """Print the state after an order, or that the server has not reported it yet."""
    server = await_followed(client, server)
    if has_followed(server):
        click.echo(f"{server.server_id}: {_format_state(server)}")
        return
    click.echo(
        f"{server.server_id}: ordered: {server.desired}; its last report, {_format_heartbeat(server)}, still says "
        f"{server.state}. `atelier servers show {server.server_id}` shows when it follows."
    )


def _format_state(server: ServerAnswer) -> str:
    """Format the reported state and its cause, the desired state where it differs, and `dedicated`."""
    is_draining = server.desired == "draining" and server.state in ("draining", "drained")
    desired = "" if server.desired == "active" or is_draining else f", {server.desired}"
    problem = f" ({server.problem})" if server.problem else ""
    return server.state + problem + desired + (", dedicated" if server.dedicated else "")


def _format_memory(server: ServerAnswer) -> str:
    return f"{server.memory_used / GIGABYTE:.1f} of {server.memory_total / GIGABYTE:.1f} GB"


def _format_model(model: ResidentModel) -> str:
    where = "" if model.where == "device" else f" on the {model.where}"
    quantization = f" ({model.quantization})" if model.quantization else ""
    return f"{model.id}{quantization} {model.bytes / GIGABYTE:.1f} GB{where}{', pinned' if model.pinned else ''}"


def _format_heartbeat(server: ServerAnswer) -> str:
    return f"{server.heartbeat_age_seconds:.0f} s ago"
