"""The whole of HydraCore on this machine, as processes of one supervisor.

``up`` starts a detached supervisor and follows its progress; ``down`` ends it. The supervisor is
the parent of etcd, kube-apiserver, kube-controller-manager, operator and API, all of which die
with it. Local servers are not its children: they survive it, and ``down`` ends them by their
records.
"""
