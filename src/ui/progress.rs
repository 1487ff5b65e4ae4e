//! stub
use std::sync::Arc; use crate::job::{Reporter,NoReport}; use super::Printer;
/// m
#[derive(Debug,Clone,Copy)] pub enum ProgressMode{/// a
Auto}
/// r
pub fn reporter(_m: ProgressMode, _p:&Printer)->Arc<dyn Reporter>{Arc::new(NoReport)}
