//! The HTTP API, field by field.
