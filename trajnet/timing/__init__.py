"""Clocks, summaries of latencies, and the hardware they were measured on."""
