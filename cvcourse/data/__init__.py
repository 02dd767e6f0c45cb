"""Pictures, digits, simulated scenes, and readers for real data sets; none downloads by itself."""
