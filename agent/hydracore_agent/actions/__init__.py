"""Actions: operations on this agent, each carried out at most once and remembered by its id."""
