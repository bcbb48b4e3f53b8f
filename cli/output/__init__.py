"""Tables and durations on a terminal."""
