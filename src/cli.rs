//! The top-level parser.
