//! Room `request`.
