"""The ``local`` provider: a server is a folder and a process tree on this machine."""

from hydracore_operator.providers.local.provider import LocalProvider

__all__ = ["LocalProvider"]
