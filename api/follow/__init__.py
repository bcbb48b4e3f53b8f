"""Following jobs: events, status answers and long polls."""
