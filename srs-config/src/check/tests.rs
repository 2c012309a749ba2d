//! What is told of a configuration.
