//! Live streams and files over HTTP.
