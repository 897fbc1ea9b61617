"""The one adversarial training loop and what it is made of."""
