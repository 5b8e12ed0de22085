"""What rolloutd costs, in time, memory and reading, beside its peers: `make bench`."""
