"""Bytes to pixels: sniffing, header checks, limits, scaled decoding, orientation, color."""
