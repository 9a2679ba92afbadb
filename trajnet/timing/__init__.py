"""Clocks, latency summaries, and a description of the hardware that was measured."""
