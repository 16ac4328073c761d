"""``/v1/instances/{instance_id}/memory``."""
