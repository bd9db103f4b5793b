"""``python -m platonic_ase``: the same as the platonic-ase command."""

from platonic_ase.cli import main

if __name__ == "__main__":
    main()
