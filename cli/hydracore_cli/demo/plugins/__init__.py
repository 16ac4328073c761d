"""Plugins that the demo puts into its runtimes. They run in agents, not here."""
