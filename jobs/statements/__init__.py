"""Functions that return SQL statements; the async API and the sync workers both execute them."""
