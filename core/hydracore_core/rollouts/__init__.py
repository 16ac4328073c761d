"""The rollout engine's decisions for one tenant: :func:`hydracore_core.rollouts.plan.plan`."""
