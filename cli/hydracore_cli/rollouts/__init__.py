"""Rollouts by the command line: what one will do, and letting it go on."""
