"""Compression: n points become a few weighted nodes, with an error bound that is known beforehand.

A plan chooses the lattice and the nodes from the grid and the tolerance alone; a deposit sums the
points into the bins of the lattice; a fold turns the deposit into weighted nodes.
"""
