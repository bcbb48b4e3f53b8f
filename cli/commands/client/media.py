"""`atelier media`: the media library."""

from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from atelier_client.models import MediaItem
from cli.choices import NearestChoice
from cli.commands.client.request_options import read_pairs
from cli.http.client import Client
from cli.http.connection import with_client
from cli.http.problems import ApiError, in_commands
from cli.output.status import print_line
from cli.output.tables import few, format_time, json_option, print_facts, print_json, print_table

KINDS = NearestChoice(["image", "video", "audio", "mesh", "document"])
SORTS = NearestChoice(["newest", "oldest", "updated"])
LIMIT = click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100), help="Number of items.")
KIND = click.option("--kind", type=KINDS, help="Only items of this kind.")


@click.group()
def media() -> None:
    """Upload, find, show, tag, publish, download and delete what the media library has.

    It has every output of your jobs, and what you upload. The id of an item can stand where a file or a URL can.
    """


@media.command("list")
@LIMIT
@KIND
@click.option("--tag", "tags", multiple=True, help="Only items with this tag; may be repeated.")
@click.option("--label", "labels", multiple=True, metavar="KEY:VALUE", help="Only items with this label.")
@click.option("--product", "product_id", help="Only items that are linked to this product.")
@click.option("--sort", type=SORTS, default="newest", show_default=True, help="By creation, or by the last change.")
@json_option
@with_client
def list_(
    client: Client,
    limit: int,
    kind: str | None,
    tags: tuple[str, ...],
    labels: tuple[str, ...],
    product_id: str | None,
    sort: str,
    as_json: bool,
) -> None:
    """List your media, newest first."""
    read_pairs(labels)
    page = client.media(
        limit=limit, kind=kind, tag=list(tags) or None, label=list(labels) or None, product_id=product_id, sort=sort
    )
    print_json(page.media) if as_json else _print_items(page.media)


@media.command()
@click.argument("words", nargs=-1)
@click.option("--near", is_flag=True, help="What the words mean, and not the words themselves.")
@click.option("--similar-to", metavar="PICTURE", help="Like a picture: an item, an output, a local file or a URL.")
@LIMIT
@KIND
@json_option
@with_client
def search(
    client: Client,
    words: tuple[str, ...],
    near: bool,
    similar_to: str | None,
    limit: int,
    kind: str | None,
    as_json: bool,
) -> None:
    """Find media by the words of prompt, description, name, tags and transcript, best first.

    With --near or --similar-to the vectors of items are compared, which the service makes if its operator says so.
    """
    if bool(words) == (similar_to is not None) or (near and not words):
        raise click.UsageError("Give words, or a picture with --similar-to.")
    asked = " ".join(words) or None
    question = {"near": asked} if near else {"similar_to": similar_to and client.source(similar_to)}
    found = client.search_media(None if near else asked, **question, limit=limit, kind=kind).results
    print_json(found) if as_json else _print_items([one.media for one in found])
    if not found and (near or similar_to):
        text = "nothing was compared: items get a vector where ATELIER_LIBRARY_ANALYSES has `embedding`"
        click.echo(f"note: {text}", err=True)


@media.command()
@click.argument("media_id")
@json_option
@with_client
def show(client: Client, media_id: str, as_json: bool) -> None:
    """Show all facts about one item."""
    item = client.media_item(media_id)
    if as_json:
        print_json(item)
        return
    print_facts(
        {
            "media": item.media_id,
            "name": item.filename,
            "kind": item.kind,
            "status": item.status,
            "problem": in_commands(item.problem.message) if item.problem else None,
            "description": item.description,
            "type": item.media_type,
            "bytes": item.bytes,
            "size": f"{item.width}x{item.height}" if item.width else None,
            "seconds": item.duration_seconds,
            "prompt": item.prompt,
            "model": item.model,
            "seed": item.seed,
            "job": item.job_id,
            "tags": ", ".join(item.tags),
            "labels": ", ".join(f"{key}:{value}" for key, value in item.labels.items()),
            "products": ", ".join(link.product_id or link.variant_id or "" for link in item.links),
            "url": item.url,
            "public url": item.public_url,
            "expires": format_time(item.expires_at),
            "created": format_time(item.created_at),
        }
    )


@media.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--description", help="What is in it.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be repeated.")
@click.option("--label", "labels", multiple=True, metavar="KEY:VALUE", help="A label; may be repeated.")
@click.option("--temporary", is_flag=True, help="Delete it after 24 hours.")
@with_client
def upload(
    client: Client,
    files: tuple[str, ...],
    description: str | None,
    tags: tuple[str, ...],
    labels: tuple[str, ...],
    temporary: bool,
) -> None:
    """Bring files, or the files of URLs, to the media library; only their ids go to standard output."""
    given = {"description": description, "tags": tags, "labels": read_pairs(labels), "temporary": temporary}
    facts = {name: value for name, value in given.items() if value}
    for file in files:
        source = file if file.startswith(("http://", "https://")) else Path(file)
        print_line(client.add_media(source, **facts).media_id)


@media.command()
@click.argument("media_id")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path(), help="File or folder; default: here.")
@with_client
def download(client: Client, media_id: str, output: Path) -> None:
    """Download the file of an item; one that is there already is overwritten only where it is named."""
    item = client.media_item(media_id)
    if item.url is None:
        why = in_commands(item.problem.message) if item.problem else "try again later"
        raise ApiError(f"{media_id} is {item.status}: {why}")
    target = output / item.filename if output.is_dir() else output
    if output.is_dir() and target.exists():
        raise click.ClickException(f"{target} is there already; name a file or a folder with -o")
    print_line(str(client.download(item.url, target)))


@media.command()
@click.argument("media_id")
@click.option("--add", "added", multiple=True, help="A tag to add; may be repeated.")
@click.option("--remove", "removed", multiple=True, help="A tag to remove; may be repeated.")
@with_client
def tag(client: Client, media_id: str, added: tuple[str, ...], removed: tuple[str, ...]) -> None:
    """Add and remove tags of an item, and print those that it has then."""
    item = client.media_item(media_id)
    if added or removed:
        tags = [one for one in dict.fromkeys((*item.tags, *added)) if one not in removed]
        item = client.change_media(media_id, tags=tags)
    for one in item.tags:
        print_line(one)


@media.command()
@click.argument("media_id")
@click.option("--off", is_flag=True, help="Take the public link away.")
@with_client
def publish(client: Client, media_id: str, off: bool) -> None:
    """Give an item a link that anyone may open, and print it."""
    if off:
        client.unpublish_media(media_id)
        click.echo(f"{media_id} is not public")
        return
    print_line(client.publish_media(media_id).public_url or "")


@media.command()
@click.argument("media_ids", nargs=-1, required=True, metavar="MEDIA...")
@with_client
def delete(client: Client, media_ids: tuple[str, ...]) -> None:
    """Delete items with their files, previews and links."""
    for media_id in media_ids:
        client.remove_media(media_id)
        print_line(f"{media_id} is deleted")


def _print_items(items: Sequence[MediaItem]) -> None:
    rows = [
        [item.media_id, item.kind, item.status, item.filename, few(item.tags), item.bytes, format_time(item.created_at)]
        for item in items
    ]
    titles = ["media", "kind", "status", "name", "tags", "bytes", "created"]
    print_table(titles, rows, optional=["bytes", "created", "status", "tags"])
