//! Room `provider`.
