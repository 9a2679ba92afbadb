"""The data sets and benchmarks that trajnet knows, each described in one file, and the windows cut from them.

description   what there is to know of a data set
registry      all of them
files         scene files of every format that the registry knows
folders       where a data set lies, and the files of its parts
part_windows  the windows of a benchmark
windows       how windows are cut from any scene
"""
