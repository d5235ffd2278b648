"""What subscribers may rely on: an AsyncAPI 3 document and JSON Schemas, from what really runs."""

from gateway.contracts.asyncapi import document, schemas
from gateway.contracts.catalogue import stored_tags

__all__ = ["document", "schemas", "stored_tags"]
