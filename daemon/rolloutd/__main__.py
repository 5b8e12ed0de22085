"""`python -m rolloutd`: the same program as the console script."""

from rolloutd.cli import main

if __name__ == "__main__":
    main()
