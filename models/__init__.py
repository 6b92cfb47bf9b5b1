"""Neurons, plasticity rules and networks: each in a file of its own."""
