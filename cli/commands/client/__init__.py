"""Commands that talk to an API over HTTP."""
