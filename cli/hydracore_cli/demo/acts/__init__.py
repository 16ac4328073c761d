"""The acts of the demo, one file each, in the order of :mod:`hydracore_cli.demo.run`."""
