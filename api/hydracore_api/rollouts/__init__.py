"""Rollouts over REST: start, list, look at, pause, resume, cancel, retry, redeploy."""
