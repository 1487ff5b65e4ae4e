//! stub
/// stub
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum RowStatus {
    Ok,
    Skipped,
    Error,
}
#[allow(missing_docs)]
impl RowStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }
    pub fn read(w: &str) -> Option<Self> {
        Some(match w {
            "ok" => Self::Ok,
            "skipped" => Self::Skipped,
            "error" => Self::Error,
            _ => return None,
        })
    }
}
