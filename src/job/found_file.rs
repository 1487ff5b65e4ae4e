//! The file of an upload that got no clear answer.

use super::drive::Driver;
use crate::provider::RemoteFile;

/// Pages of the listing that are looked through: the file is among the newest, or not there.
const PAGES: usize = 5;

/// How far the provider's machines may disagree on the time.
const MARGIN_SECONDS: i64 = 600;

impl Driver<'_> {
    /// Looks for the file by its name and length, among those made since the upload began. It may
    /// be sent again where it is not found, so a listing that cannot be had is no obstacle.
    pub(super) async fn find_upload(
        &self,
        name: &str,
        bytes: u64,
        since: Option<i64>,
    ) -> Option<RemoteFile> {
        let is_it = |file: &RemoteFile| {
            file.name.as_deref() == Some(name)
                && file.bytes == Some(bytes)
                && since
                    .zip(file.created_at)
                    .is_some_and(|(since, at)| at >= since - MARGIN_SECONDS)
        };
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.api.list_files(after.as_deref()).await.ok()?;
            if let Some(file) = page.items.into_iter().find(is_it) {
                return Some(file);
            }
            after = Some(page.next?);
        }
        None
    }
}
