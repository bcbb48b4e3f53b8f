"""The webhooks of other services' wire formats: their bodies and their own headers, a module for each dialect."""
