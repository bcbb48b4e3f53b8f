"""VideoGen's workflows: chains of jobs, of which the film is the result."""
