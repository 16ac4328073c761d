"""``/v1/instances/{instance_id}/conversations`` and the consent that opens them."""
