//! The command line, the process, its log and its signals.
