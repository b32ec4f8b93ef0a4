"""What `docs/contracts/` is made of: schemas of messages and files, AsyncAPI, vectors, tables. All pure."""
