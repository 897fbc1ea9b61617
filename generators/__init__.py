"""Make fakes: one file per GAN in `systems/`, one training loop, shared networks and losses (torch).

`forge.py` passes real images through the reconstruction family to make aligned twins for the
detector. Sampling from exported generators needs no torch and lives in `exports.runtime`.
"""
