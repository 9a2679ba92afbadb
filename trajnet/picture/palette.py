"""Colours that people with any colour vision tell apart (Okabe and Ito 2008), and greys for the map."""

#: Fill of each class, in the order of ObjectClass.
CLASS_COLOURS = ("#7f7f7f", "#0072b2", "#56b4e9", "#004a75", "#cc79a7", "#009e73", "#d55e00")
#: Predicted paths, and the object that a picture is about.
PATH, FOCUS = "#e69f00", "#0072b2"
GROUND, ROAD, WALK, EDGE = "#ffffff", "#e8e8e8", "#f3f0e6", "#cfcfcf"
TRUTH, HISTORY, NEIGHBOUR, TEXT = "#111111", "#555555", "#9a9a9a", "#333333"
