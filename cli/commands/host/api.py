"""`atelier api`: one API process."""

import rich_click as click

from api.serve import main


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address on which the API listens; 0.0.0.0 is every interface of IPv4, :: of IPv6 and IPv4.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port of the API.")
def api(host: str, port: int) -> None:
    """Run the API; settings come from the environment (docs/settings.md)."""
    main(host, port)
