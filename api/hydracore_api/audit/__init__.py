"""``/v1/instances/{instance_id}/runtime/audit``."""
