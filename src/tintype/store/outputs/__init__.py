"""Vectors that stand alone: files a shard, in the formats that other programs read."""
