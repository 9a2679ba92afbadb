"""The context of an object: the rasterized map, distances to its lines, and the nearest neighbours."""
