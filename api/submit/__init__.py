"""Submit: from a validated request to a committed job."""
