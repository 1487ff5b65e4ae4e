//! Who is asked.

use super::Flags;
use crate::config::{Overrides, key};

/// The provider and the model.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Who is asked")]
pub struct WhoArgs {
    /// Who is asked and paid: openai, zhipu, sandbox (no key), your own; for calls several in turn or a chain [default: openai]
    #[arg(long, alias = "service-order", value_name = "NAME[:MODEL],…")]
    pub provider: Option<String>,
    /// Model [default: the provider's]
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
}

impl Flags for WhoArgs {
    fn lay(&self, over: &mut Overrides) {
        over.text(key::PROVIDER, self.provider.as_deref());
        over.text(key::MODEL, self.model.as_deref());
    }
}
