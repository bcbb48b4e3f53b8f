"""The console: its files as they are, its policy, and the sessions of browsers; it has no API of its own."""
