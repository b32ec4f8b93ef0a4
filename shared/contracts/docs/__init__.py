"""What `docs/contracts/` is made of: schemas, AsyncAPI, test vectors, the table of metrics. All pure."""
