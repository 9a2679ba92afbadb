"""Tables of one's own: columns of any data frame to a Scene, and structs of arrays back to data frames.

Nothing here imports pandas, polars, pyarrow, xarray or pyproj before a call needs it.
"""

from trajnet.tabular.build import log_notes, scene_of_columns
from trajnet.tabular.columns import columns_of
from trajnet.tabular.options import TableOptions, Units
from trajnet.tabular.recordings import split_columns

__all__ = ["TableOptions", "Units", "columns_of", "log_notes", "scene_of_columns", "split_columns"]
