"""A plugin that never lets the agent start."""

import sys
import threading

NAME = "frozen"
sys.stderr.write("waiting for the tide\n")
threading.Event().wait()
