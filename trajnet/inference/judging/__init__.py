"""Predictions that judge themselves: each track's earlier answers, held against where it really went."""
