"""What is settled before a route is chosen: the spelling of a path, HEAD, OPTIONS and CORS."""
