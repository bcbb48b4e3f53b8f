"""The demo: one job of everything that the service makes, and the page that shows them."""
