"""Tables, durations and status lines on a terminal."""
