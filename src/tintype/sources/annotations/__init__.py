"""Readers of annotations: whatever the format, they give boxes as one table."""
