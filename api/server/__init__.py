"""The HTTP server: uvicorn's, with bounds on what a connection sends, how long it takes, and how many there are."""
