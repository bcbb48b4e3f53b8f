"""What can be made: the model catalog, the weights and their lock, one module per model family."""
