"""InstanceActions: what is to be done next about one of them. Pure; no clock, no I/O."""
