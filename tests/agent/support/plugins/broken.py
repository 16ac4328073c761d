"""A plugin that crashes when it is imported."""

NAME = "broken"
raise RuntimeError("the flux capacitor is missing")
