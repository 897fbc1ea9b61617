"""Makes `tests` ours: torch-fidelity's wheel leaves a package of that name in site-packages."""
