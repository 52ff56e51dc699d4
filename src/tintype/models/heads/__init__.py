"""Heads: small models that run on stored vectors of another card, never on images."""
