"""What holds for all tenants, for those who run the platform."""
