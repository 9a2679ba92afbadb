"""The data sets and benchmarks that trajnet knows, each described in one file, and the windows cut from them."""
