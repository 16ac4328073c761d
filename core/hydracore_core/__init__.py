"""Pure decisions: no I/O, no clock, no randomness. What is goes in, what to do comes out."""
