"""Exit statuses other than 0 (done), 1 (refused, failed or cancelled) and 2 (typed wrongly)."""

INTERRUPTED = 130
"""After Ctrl-C, as a shell has it for SIGINT."""
TIMED_OUT = 124
"""After a time limit, as `timeout` has it."""
