"""What a job *is*: parameters, states, tables, statements, events, doorbell, and the answers of the API."""
