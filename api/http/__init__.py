"""HTTP in general: authentication, problems, pagination, byte ranges, request ids and plain calls."""
