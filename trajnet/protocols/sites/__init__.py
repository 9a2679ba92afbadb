"""The mirror: models next to physics at recorded places, in cells of class and speed, with intervals over tracks.

site_list: which places there are, which of them are at hand, and whether a model was trained on them. conditions: what
of a recording is shown, and with how much noise. objects: who is scored, and what they did. scores: what was predicted
for each of them, as scalars. play: a recorded scene streamed to predictors under a condition. bootstrap: intervals by
resampled tracks. breakdown: cells and their errors. events: false motion, missed starts, false stops, calibration.
targets: what a model ought to reach. survey: what a site has. report: the report and its headline. benchmark: all of
it. tables: the report as tables of texts. page: the report as HTML.
"""
