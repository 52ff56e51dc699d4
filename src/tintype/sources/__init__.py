"""Where images come from: folders, tar shards, tables."""
