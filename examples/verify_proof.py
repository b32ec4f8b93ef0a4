# /// script
# requires-python = ">=3.11"
# dependencies = ["cryptography", "rfc8785"]
# ///
"""Verifies a voter's proof, without Rollstream: PROOF.json and the register's public key in PEM.

python verify_proof.py PROOF.json SIGNING_PUBLIC_KEY.pem
"""

import base64
import json
import sys
from hashlib import sha256
from pathlib import Path

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

proof = json.loads(Path(sys.argv[1]).read_bytes())
key = load_pem_public_key(Path(sys.argv[2]).read_bytes())
head, row = proof["list"], proof["row"]
assert isinstance(key, Ed25519PublicKey)
key.verify(base64.b64decode(proof["signature"]["value"]), rfc8785.dumps(head))

node, at, last = sha256(b"\0" + rfc8785.dumps(row)).digest(), row["serial"] - 1, proof["size"] - 1
for step in map(bytes.fromhex, proof["path"]):  # RFC 9162, section 2.1.3.2
    if at % 2 or at == last:
        node = sha256(b"\1" + step + node).digest()
        while at and not at % 2:
            at, last = at // 2, last // 2
    else:
        node = sha256(b"\1" + node + step).digest()
    at, last = at // 2, last // 2
whole = proof["size"] == head["count"] + head["removed_count"] and row["serial"] <= head["count"]
if not whole or last or node.hex() != head["merkle_root"]:
    sys.exit("The row is not on the list that was signed.")
print(f"{row['registration_id']} is number {row['serial']} at {head['station']}, roll {head['roll']}.")
