"""What was handed in, and the words for what we say about it.

The one room that decodes and encodes media: limits, sandbox, image and video readers, faces, the
verdict types and the error tree. Runs without torch; every other room may import it.
"""
