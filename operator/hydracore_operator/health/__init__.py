"""Health: one bounded loop asks all agents; what changes is judged and told to the reconcile."""

from hydracore_operator.health.loop import HealthLoop
from hydracore_operator.health.together import Together
from hydracore_operator.health.verdicts import Seen, Verdict, Verdicts

__all__ = ["HealthLoop", "Seen", "Together", "Verdict", "Verdicts"]
