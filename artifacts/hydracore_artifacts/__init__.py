"""The bytes of bundles: where they lie, what they hash to, and who signed them.

Used by the operator (verification), the API (downloads) and the CLI (build, sign, publish).
"""
