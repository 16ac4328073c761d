"""How a runtime bundle is made: which files, in which form. Pure but for reading and one file."""
