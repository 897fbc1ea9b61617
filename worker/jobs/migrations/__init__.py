"""Steps from one shape of the job store to the next; `worker/jobs/engine.py` runs them."""
