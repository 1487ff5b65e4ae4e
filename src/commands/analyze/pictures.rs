//! Pictures are asked about and not counted: an older tool called that `analyze IMAGE`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Args;
use crate::commands::flags::WhoArgs;
use crate::commands::{Context, chat};
use crate::request::is_picture;
use crate::ui::CommandError;

/// So much of a file is looked at; an SVG says late what it is.
const HEAD: u64 = 1024;

/// The same line as one of `chat`, if all that is named are pictures.
pub(super) fn pictures(args: &Args, context: &Context) -> Result<Option<chat::Args>, CommandError> {
    let is_shown = |name: &&Path| is_address(name) || is_picture(&head(&context.folder.join(name)));
    let named = args.sources.iter().map(AsRef::as_ref);
    let (shown, others): (Vec<&Path>, Vec<&Path>) = named.partition(is_shown);
    match (shown.first(), others.first()) {
        (None, _) if args.prompt.is_some() => {
            Err(CommandError::usage("--prompt asks about a picture, and none is named")
                .hint("ask a question: batchctl chat -p \"…\""))
        }
        (None, _) => Ok(None),
        (Some(picture), Some(other)) => {
            let (picture, other) = (picture.display(), other.display());
            Err(CommandError::usage(format!("{picture} is a picture and {other} is none"))
                .hint("name them in two lines"))
        }
        (Some(_), None) => Ok(Some(chat::Args {
            images: shown.iter().map(|name| name.to_string_lossy().into_owned()).collect(),
            prompt: args.prompt.clone(),
            who: WhoArgs { provider: args.provider.clone(), model: args.model.clone() },
            json: args.json,
            ..chat::Args::default()
        })),
    }
}

fn is_address(name: &Path) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("http://") || name.starts_with("https://")
}

/// The beginning of a file; nothing where it cannot be read, which is told later.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    if path.is_file()
        && let Ok(file) = File::open(path)
    {
        let _ = file.take(HEAD).read_to_end(&mut head);
    }
    head
}
