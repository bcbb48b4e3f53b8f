"""Asking for it: the HTTP side, which reads and writes rows and never loads torch."""
