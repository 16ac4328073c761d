"""Who leads: the Lease and the epoch that every order carries."""
