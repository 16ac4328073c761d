"""HydraCore's main job, played once with real processes and checked by what the agents report."""
