"""Settings and feed declarations, shipped with the packages as data."""
