"""Actions on instances: made as InstanceActions, waited for, listed."""
