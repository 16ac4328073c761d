"""Rollout: one bundle to many instances. Import its parts from here."""

from hydracore_crds.rollout.kind import Rollout
from hydracore_crds.rollout.ramp import Ramp
from hydracore_crds.rollout.selector import Selector
from hydracore_crds.rollout.spec import CancelMode, RolloutSpec
from hydracore_crds.rollout.status import (
    FINAL_STATES,
    MAX_EXAMPLES,
    Counts,
    PinnedArtifact,
    ProgressClock,
    RollbackStatus,
    RolloutState,
    RolloutStatus,
    Skipped,
    SkippedExample,
    WaveState,
    WaveStatus,
)
from hydracore_crds.rollout.strategy import (
    DEFAULT_TARGET_TIMEOUT,
    FailureThreshold,
    Strategy,
    Wave,
)

__all__ = [
    "DEFAULT_TARGET_TIMEOUT",
    "FINAL_STATES",
    "MAX_EXAMPLES",
    "CancelMode",
    "Counts",
    "FailureThreshold",
    "PinnedArtifact",
    "ProgressClock",
    "Ramp",
    "RollbackStatus",
    "Rollout",
    "RolloutSpec",
    "RolloutState",
    "RolloutStatus",
    "Selector",
    "Skipped",
    "SkippedExample",
    "Strategy",
    "Wave",
    "WaveState",
    "WaveStatus",
]
