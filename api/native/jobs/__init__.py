"""Routes of jobs, their outputs and signed downloads."""
