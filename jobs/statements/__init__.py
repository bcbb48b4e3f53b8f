"""Functions that return SQL statements; the API executes them asynchronously, workers and commands synchronously."""
