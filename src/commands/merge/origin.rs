//! Where ids come from, as far as this home or the manifests here know: the table that was asked,
//! and what was asked of it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::slips::first_id;
use super::sources::Sources;
use crate::commands::Context;
use crate::commands::steps::{Found, if_pruned, open_table};
use crate::request::{CustomId, Form};
use crate::shard::Manifest;
use crate::store::Store;
use crate::table::{Selection, Table};
use crate::ui::{CommandError, ExitCode};

/// Whose ids are of one job.
pub(super) enum Origin {
    /// A job of this home.
    Job(Box<Found>),
    /// Request files of `convert`.
    Convert {
        /// Their manifest.
        manifest: Box<Manifest>,
        /// The rows it was made for.
        selection: Selection,
        /// Where it stands.
        path: PathBuf,
    },
}

impl Origin {
    /// The first six characters of its ids.
    pub(super) fn job6(&self) -> &str {
        match self {
            Self::Job(found) => found.job.short(),
            Self::Convert { manifest, .. } => &manifest.job6,
        }
    }

    /// What its answers are to hold.
    pub(super) fn form(&self) -> &Form {
        match self {
            Self::Job(found) => &found.spec.form,
            Self::Convert { manifest, .. } => &manifest.form,
        }
    }

    /// The rows of its table that were asked.
    pub(super) fn selection(&self) -> &Selection {
        match self {
            Self::Job(found) => found.written_selection(),
            Self::Convert { selection, .. } => selection,
        }
    }

    /// As people know it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Job(found) => format!("job {}", found.job.short()),
            Self::Convert { path, .. } => path.display().to_string(),
        }
    }

    /// Its job, if it has one.
    pub(super) fn job(&self) -> Option<&Found> {
        match self {
            Self::Job(found) => Some(found),
            Self::Convert { .. } => None,
        }
    }

    /// What orders them: of several the newest counts.
    fn age(&self) -> Option<i64> {
        self.job().map(|found| found.job.created)
    }
}

/// The origins that were found, the oldest first.
pub(super) struct Origins {
    all: Vec<Origin>,
    /// The first id of the files.
    example: Option<String>,
    /// Folders in which a manifest may lie.
    folders: Vec<PathBuf>,
}

impl Origins {
    /// Those of the jobs that are named, and of the first id in each file.
    pub(super) fn of(
        sources: &Sources,
        context: &Context,
        store: &Store,
    ) -> Result<Self, CommandError> {
        let named = |found: &Found| Origin::Job(Box::new(found.clone()));
        let folders = sources.files.iter().filter_map(|file| file.parent());
        let mut folders: Vec<PathBuf> = std::iter::once(Path::new(""))
            .chain(folders)
            .map(|folder| context.folder.join(folder))
            .collect();
        folders.dedup();
        let all = sources.jobs.iter().map(named).collect();
        let mut origins = Self { all, example: None, folders };
        for file in &sources.files {
            let Some(id) = first_id(file, context) else { continue };
            if let Some(id) = CustomId::parse(&id) {
                origins.look(&id.job6, store)?;
            }
            origins.example.get_or_insert(id);
        }
        Ok(origins)
    }

    /// Finds the origin of ids with these six characters, if it is known here.
    pub(super) fn look(&mut self, job6: &str, store: &Store) -> Result<(), CommandError> {
        if self.all.iter().any(|origin| origin.job6() == job6) {
            return Ok(());
        }
        let job = store.job_by_id(job6)?.filter(|job| job.short() == job6);
        let found = job.map(|job| Found::of(store, job)).transpose()?;
        // Of a pruned job nothing is left to compare with.
        let is_whole = |found: &Found| if_pruned(store, found).map(|words| words.is_none());
        let origin = match found {
            Some(found) if is_whole(&found)? => Some(Origin::Job(Box::new(found))),
            Some(_) => None,
            None => self.manifest(job6)?,
        };
        self.all.extend(origin);
        self.all.sort_by_key(Origin::age);
        Ok(())
    }

    /// All of them, the oldest first.
    pub(super) fn all(&self) -> &[Origin] {
        &self.all
    }

    /// What the answers are to hold, as the newest one that wants something of them has it.
    pub(super) fn form(&self) -> Form {
        let mut forms = self.all.iter().rev().map(Origin::form);
        forms.find(|form| form.is_json()).cloned().unwrap_or_default()
    }

    /// The newest of them and the next older one whose answers are to hold something else.
    pub(super) fn differing(&self) -> Option<[&Origin; 2]> {
        let (newest, older) = self.all.split_last()?;
        let differs = |older: &&Origin| {
            let (one, other) = (older.form(), newest.form());
            (&one.fields, &one.schema) != (&other.fields, &other.schema)
        };
        let other = older.iter().rev().find(differs)?;
        Some([other, newest])
    }

    /// The table that the newest one asked about.
    pub(super) fn table(
        &self,
        context: &Context,
        scratch: &Path,
    ) -> Result<(Table, PathBuf), CommandError> {
        match self.all.last() {
            Some(Origin::Job(found)) => {
                let onto = found.spec.output.onto.as_ref();
                let source = onto.map_or(&found.spec.source, |onto| &onto.source);
                Ok((found.written_table()?, PathBuf::from(source)))
            }
            Some(Origin::Convert { manifest, path, .. }) => {
                let table = PathBuf::from(&manifest.table);
                if !table.exists() {
                    return Err(CommandError::usage(format!(
                        "{} says that the table is {}, which is not there",
                        path.display(),
                        table.display()
                    ))
                    .hint("name it: --original-csv TABLE"));
                }
                Ok((open_table(&table, context, scratch)?, table))
            }
            None => {
                let ids = match &self.example {
                    Some(id) => format!("ids such as {id} belong to no job or manifest known here"),
                    None => "no line of the files has an id".to_owned(),
                };
                Err(CommandError::usage(ids).hint("name the table: --original-csv TABLE"))
            }
        }
    }

    /// The manifest whose ids have these six characters.
    fn manifest(&self, job6: &str) -> Result<Option<Origin>, CommandError> {
        for path in self.folders.iter().flat_map(|folder| manifests(folder)) {
            let manifest =
                Manifest::read(&path).map_err(|error| CommandError::new(ExitCode::Usage, error))?;
            if manifest.job6 == job6 {
                let selection = serde_json::from_value(manifest.selection.clone())
                    .with_context(|| format!("{}: its selection", path.display()))?;
                let folder = self.folders.first().map_or(Path::new(""), PathBuf::as_path);
                let path = path.strip_prefix(folder).unwrap_or(&path).to_owned();
                return Ok(Some(Origin::Convert { manifest: Box::new(manifest), selection, path }));
            }
        }
        Ok(None)
    }
}

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".manifest.json"))
        .collect();
    paths.sort();
    paths
}
