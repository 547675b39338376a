"""`python -m sidecar` does what the command `sidecar` does."""

from sidecar.cli import main

if __name__ == "__main__":
    main()
