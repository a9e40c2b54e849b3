"""Models assembled from layers; loading and saving."""
