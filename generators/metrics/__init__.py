"""How good and how varied generated images are; one metric per file."""
