"""What holds for all tenants at once."""
