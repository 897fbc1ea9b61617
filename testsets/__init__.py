"""Adversarial test sets: recipes, perturbations, attacks, laundering, writers.

Laid out now, furnished by the test-set work; until then `generators.forge` makes aligned twins.
"""
