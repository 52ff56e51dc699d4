"""The neighbor graph of a collection: made in parts by several processes, kept, and extended."""
