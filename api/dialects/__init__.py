"""Wire formats of other services; each is routes, schema, translate and errors."""
