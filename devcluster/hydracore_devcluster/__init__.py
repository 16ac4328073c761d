"""A real Kubernetes control plane on this machine, without containers and without root rights.

``build`` makes the binaries, ``cluster`` runs them, ``external`` stands in for somebody else's
cluster, ``choose`` picks one of the two, ``install`` brings HydraCore's definitions and rights
into either.
"""
