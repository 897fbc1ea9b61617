"""Adversarial losses and gradient penalties as plain functions."""
