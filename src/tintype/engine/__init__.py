"""Who has which shard: planning, workers, commits."""
