//! Where configuration is looked for. A value, so that tests can have a machine of their own.

use std::fmt;
use std::path::PathBuf;

use super::environment::Environment;
use super::error::ConfigError;

/// The process's surroundings as far as configuration depends on them.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// The working folder.
    pub folder: PathBuf,
    /// The environment; variables that are not Unicode are left out.
    pub environment: Environment,
    /// The file that `--config` names.
    pub config_file: Option<PathBuf>,
    /// The platform's folder for configuration.
    pub config_folder: Option<PathBuf>,
    /// The platform's folder for data.
    pub data_folder: Option<PathBuf>,
}

/// Without the environment, which holds secrets.
impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("folder", &self.folder)
            .field("user_file", &self.user_file())
            .finish_non_exhaustive()
    }
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process(config_file: Option<PathBuf>) -> std::io::Result<Self> {
        Ok(Self {
            folder: std::env::current_dir()?,
            environment: std::env::vars_os()
                .filter_map(|(name, text)| {
                    Some((name.into_string().ok()?, text.into_string().ok()?))
                })
                .collect(),
            config_file,
            config_folder: dirs::config_dir(),
            data_folder: dirs::data_dir(),
        })
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The user's file, and whether it must exist because someone named it.
    pub fn user_file(&self) -> Option<(PathBuf, bool)> {
        if let Some(path) = &self.config_file {
            return Some((path.clone(), true));
        }
        if let Some(path) = self.variable("BATCHCTL_CONFIG") {
            return Some((PathBuf::from(path), true));
        }
        let folder = self.config_folder.as_ref()?;
        Some((folder.join("batchctl").join("config.toml"), false))
    }

    /// The working folder's file.
    pub fn project_file(&self) -> PathBuf {
        self.folder.join("batchctl.toml")
    }

    /// `.env` of the working folder.
    pub fn dot_env(&self) -> PathBuf {
        self.folder.join(".env")
    }

    /// The home folder: `BATCHCTL_HOME`, else the platform's data folder.
    pub fn home(&self) -> Result<PathBuf, ConfigError> {
        match (self.variable("BATCHCTL_HOME"), &self.data_folder) {
            // A relative one would be another home in every folder.
            (Some(home), _) => Ok(self.folder.join(home)),
            (None, Some(folder)) => Ok(folder.join("batchctl")),
            (None, None) => Err(ConfigError::NoHome),
        }
    }
}
