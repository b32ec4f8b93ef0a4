"""The independent check of a register: what the log means, folded plainly, to hold the services against.

It is written from the contract and shares no code with the services or the folds in `shared/`: only the
contract's own models and a few libraries. It reads the log from one end to the other and is as slow as it
likes. Where it and the services disagree, one of them has misread the contract, or somebody has tampered.
"""
