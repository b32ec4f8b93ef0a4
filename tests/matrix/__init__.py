"""The fault matrix: the whole system on real engines, with load, while something breaks; then it is checked.

`python -m tests.matrix --help`, or `make faults SEEDS=n`.
"""
