"""Replay of recorded scenes on a clock: latency under load, errors against the recorded future, and the HTML report."""
