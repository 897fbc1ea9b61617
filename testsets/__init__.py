"""Test sets and training sets of forgeries: twins from the whole suite; perturbations and attacks to come."""
