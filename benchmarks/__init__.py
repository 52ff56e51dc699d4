"""What Tintype costs, measured against its peers and its bounds; `python -m benchmarks` runs everything."""
