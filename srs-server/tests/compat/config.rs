//! Configuration: files, environment, messages.
