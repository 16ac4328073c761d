"""The command line: ``hydracore …``, also as ``kubectl hydracore …``.

``commands/`` has one file for each group; what they do lies in ``bundles/``, ``stack/``,
``watch/`` and ``demo/``. Commands import what they need when they run, so that help is instant.
"""
