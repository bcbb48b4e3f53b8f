"""`atelier api`: one API process."""

import rich_click as click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", default=8000, show_default=True, help="Its port.")
def api(host: str, port: int) -> None:
    """Run the API; settings come from the environment (docs/settings.md)."""
    from api.serve import main

    main(host, port)
