"""The errors that a caller can see, one module for each kind; `core.errors.tree` draws them all."""
