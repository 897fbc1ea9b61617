"""Captions: their words, what they mean, and the encoders that read them."""
