"""What generators and editors write about a file into it: claims, each labelled as one, never proof."""
