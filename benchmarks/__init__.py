"""Our functions beside the well-known libraries': `python -m benchmarks` (see `harness`)."""
