"""Reports of published networks on saved runs, for `spikesim report`: that of NETWORK is NETWORK.py.

Such a file has a function `sections`, see `spikesim.report`.
"""
