"""``/v1/instances``: order, look at and delete agents, and talk to them."""
