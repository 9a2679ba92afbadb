"""Procedures that train, export and score models: leave-one-out benchmarks and the precision gate."""
