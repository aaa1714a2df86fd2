"""The main job, told in the terminal on real parts: `make demo`."""
