//! Room `answer`.
