//! Room `result`.
