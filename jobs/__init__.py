"""What a job *is*: parameters, states, tables, statements, errors, settings, storage, events, doorbell."""
