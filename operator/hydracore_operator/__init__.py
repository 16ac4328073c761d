"""The operator: makes the world like the custom resources say.

``app`` starts and supervises, ``handlers`` and ``watching`` bring events into stores, ``wiring``
maps changes to keys in queues, and one level-triggered reconciler per concern does the work.
"""
