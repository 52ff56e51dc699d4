"""Words, columns, errors and settings that every room shares."""
