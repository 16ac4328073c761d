"""The trail of an object: each step of its life with a time and an actor. Pure.

The operator appends to ``status.transitions`` in the very write that takes the step, so that no
crash can part the two. History is told from there, as often as it takes.
"""

from hydracore_core.trail.rollouts import rollout_steps
from hydracore_core.trail.steps import Step, extended
from hydracore_core.trail.targets import target_steps

__all__ = ["Step", "extended", "rollout_steps", "target_steps"]
