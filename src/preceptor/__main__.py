"""`python -m preceptor` is the command `preceptor`."""

from preceptor.cli import main

if __name__ == "__main__":  # a process that a training starts imports this file too
    main()
