"""What `docs/contracts/` is made of: schemas, AsyncAPI, vectors, tables of metrics and settings. All pure."""
