"""The data sets and benchmarks that trajnet knows, each described in one file, and the windows cut from them.

To add a data set, write one file here: its description (``description.Dataset``), its reader if it has a file format of
its own, and the rule by which its windows are cut if it has one. Then add it to ``registry.DATASETS``.

description: the fields of a description. registry: all data sets, and which may be trained on. files: scene files of
every format that the registry knows. folders: where a data set is, and the files of its parts. own_split: train, val
and test where no official split has futures. windows: how windows are cut from any scene. part_windows: the windows of
a benchmark. window_context: the surroundings of windows.
"""
