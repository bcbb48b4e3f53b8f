"""What an operator's commands share: database access, settings and checks."""
