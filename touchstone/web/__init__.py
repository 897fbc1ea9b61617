"""The page a desk editor uses: server-rendered templates and small modules over the public API."""
