"""One process for each GPU, which runs models for all workers of a run."""
