"""Benchmarks of a model: latency against the number of objects, long runs, operators, start-up."""
