"""How the agent feels: checks of what it stands on."""
