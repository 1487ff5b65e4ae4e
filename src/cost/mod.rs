//! Room `cost`.
