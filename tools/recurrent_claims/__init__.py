"""Measures on recorded data what is claimed of recurrent networks, for docs/recurrent.md."""
