"""Asking for it: the HTTP side. It writes rows and reads them; it never sees torch."""
