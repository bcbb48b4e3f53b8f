"""Models that a job needs beside its own: which those are, and which of them would do."""
