"""The same networks in other simulators, for `spikesim bench`: NETWORK in nest is the program nest_NETWORK.py.

Such a program runs in the other simulator's own interpreter, where spikesim need not be installed. `peer` tells it
what to run, times it, and prints what it found. docs/benchmarks.md says how to write one.
"""
