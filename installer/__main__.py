"""``python -m palpo_installer``: the same as the command ``palpo-installer``."""

from palpo_installer.cli import main

if __name__ == "__main__":
    main()
