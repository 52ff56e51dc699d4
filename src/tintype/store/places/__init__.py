"""Where outputs lie: a folder, or an object store."""
