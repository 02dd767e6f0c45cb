"""Pictures, digits, simulated scenes, and readers for real data sets; nothing downloads by itself."""
