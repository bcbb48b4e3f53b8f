"""One job on its way through the GPU worker, from claim to commit."""
