"""Shards, leases and attempts."""
