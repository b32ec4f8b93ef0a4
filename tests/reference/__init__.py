"""The reference model: what the log means, folded plainly, to hold the services against.

It is written from the contract and shares no code with the services or the folds in `shared/`: only the
contract's own models and a few libraries. It keeps everything in memory, reads the log from one end to the
other and is as slow as it likes. Where the two disagree, one of them has misread the contract.
"""
