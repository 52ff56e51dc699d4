"""The collection on disk."""
