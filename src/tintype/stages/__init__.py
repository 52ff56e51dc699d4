"""Pure functions from bytes and pixels to columns, one file a stage."""
