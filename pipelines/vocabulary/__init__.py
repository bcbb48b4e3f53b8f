"""The words that a demo model knows, and which of them a prompt names; the API reads it too."""
