"""Building, signing, checking and publishing bundles."""
