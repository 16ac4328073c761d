"""The REST API: turns calls into edits of custom resources, and answers from a watch cache.

One folder for each resource: ``endpoints`` (HTTP), ``service`` (rules), ``schemas`` (wire forms).
``app`` wires, ``services`` holds what endpoints share, ``server`` runs it under uvicorn.
"""
