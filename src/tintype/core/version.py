"""Which version of Tintype this is."""

VERSION = "0.1.0"
