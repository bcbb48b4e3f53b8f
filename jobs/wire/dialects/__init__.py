"""Structs of other services' wire formats that the API and the webhooks share, a module for each dialect."""
