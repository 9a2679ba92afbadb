"""ROS 2 and Autoware: the codec, the node and its parts, bags and the scene player."""
