"""``/internal/v1/smoke``: what smoke tests of a whole platform do."""
