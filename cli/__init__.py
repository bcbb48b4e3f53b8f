"""The command line: asking a running service for work, and running the whole service on one machine."""
