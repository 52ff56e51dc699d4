"""Stand-alone vectors: planned into shards, embedded by workers that share a ledger, put together at the end."""
