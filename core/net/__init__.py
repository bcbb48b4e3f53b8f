"""Which addresses may be connected to, a transport for these alone, and a socket that listens everywhere."""
