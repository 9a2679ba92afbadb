"""Pictures without a plotting library: a frame with its paths, and one object close up, as SVG."""

from trajnet.picture.close_up import CloseUp, close_up_picture
from trajnet.picture.scene import Picture, prediction_picture, scene_picture

__all__ = ["CloseUp", "Picture", "close_up_picture", "prediction_picture", "scene_picture"]
