"""Update policies, of the tenant and of an instance, and what updates there are."""
