"""Commands that run on a machine of the service."""
