"""The rollout engine: plans come from :mod:`hydracore_core.rollouts`, here they are carried out.

``reconciler`` reads, plans and applies; ``executor`` carries out intents, each kind in a file of
its own; ``ledger`` keeps the slots; ``drive`` talks to one agent about one order.
"""

from hydracore_operator.rollouts.reconciler import TenantReconciler
from hydracore_operator.rollouts.timing import Timing

__all__ = ["TenantReconciler", "Timing"]
