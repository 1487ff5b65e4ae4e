//! Flags of every command.

use std::path::PathBuf;

use super::Flags;
use crate::config::{Overrides, key};

/// Flags that may stand anywhere on the line.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "General")]
pub struct GeneralArgs {
    /// How progress is shown on stderr [default: auto, a bar on a terminal and plain lines elsewhere]
    #[arg(long, global = true, value_name = "MODE", value_parser = ["auto", "bar", "plain", "json", "none"])]
    pub progress: Option<String>,
    /// Say only errors and results
    #[arg(short, long, global = true, conflicts_with = "verbose", hide_short_help = true)]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, hide_short_help = true)]
    pub verbose: bool,
    /// When colour is used: auto, always, never [default: auto]
    #[arg(long, global = true, value_name = "WHEN", value_parser = ["auto", "always", "never"], hide_short_help = true)]
    pub color: Option<String>,
    /// Your configuration file [default: config.toml in the configuration folder]
    #[arg(long = "config", global = true, value_name = "FILE", hide_short_help = true)]
    pub config_file: Option<PathBuf>,
    /// Proxy for all calls: a URL, system (the environment's), or none [default: system]
    #[arg(long, global = true, value_name = "URL|system|none", hide_short_help = true)]
    pub proxy: Option<String>,
    /// Any setting for this run, see `batchctl help settings`; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", hide_short_help = true)]
    pub settings: Vec<String>,
}

impl Flags for GeneralArgs {
    fn lay(&self, over: &mut Overrides) {
        over.text(key::PROGRESS, self.progress.as_deref());
        over.text(key::COLOR, self.color.as_deref());
        over.text(key::PROXY, self.proxy.as_deref());
    }
}

/// One document for programs instead of text for people.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[command(next_help_heading = "General")]
pub struct JsonArg {
    /// Print one JSON document on stdout
    #[arg(long, hide_short_help = true)]
    pub json: bool,
}
