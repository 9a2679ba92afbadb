"""What an object sees: the drawn map, distances to its lines, and its nearest neighbours."""
