"""Nearest vectors: exactly, or nearly so where there are too many to compare all with all."""
