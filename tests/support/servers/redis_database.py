"""Further databases of the run's Redis or Valkey.

The services that tests share are in database 0. A CPU worker of one of them takes every bell that it finds there.
"""

from urllib.parse import urlsplit


def redis_database(url: str, number: int) -> str:
    """URL of a database of the same server."""
    return urlsplit(url)._replace(path=f"/{number}").geturl()
