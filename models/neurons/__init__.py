"""Neurons and sources, one file each."""
