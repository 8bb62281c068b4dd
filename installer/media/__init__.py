"""A media repository beside Palpo (matrix-media-repo): what its configuration says, and whether that fits."""
