"""The service that runs on each server, with its launcher. It stands alone."""
