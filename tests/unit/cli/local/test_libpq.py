"""The environment of libpq."""

import os

from cli.local.libpq import forget_libpq_variables


def test_only_variables_of_libpq_are_removed(monkeypatch):
    monkeypatch.setattr(
        os, "environ", dict.fromkeys(["PGPORT", "PGSERVICE", "PGTARGETSESSIONATTRS", "PG", "PGP_KEY", "XPGPORT"], "x")
    )
    forget_libpq_variables()
    assert ["PG", "PGP_KEY", "XPGPORT"] == list(os.environ)
