"""Tell fakes from photographs: residual stems, network, aligned pairs, training, calibration.

`aggregate`, `thresholds`, `card` and `lint` need numpy alone; the rest needs torch.
"""
