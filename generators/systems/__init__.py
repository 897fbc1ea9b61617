"""One file per GAN: networks, losses, how inputs are drawn, how it samples."""
