"""One file for each group of commands: arguments in, one call, output."""
