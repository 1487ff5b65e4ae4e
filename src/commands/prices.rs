//! `prices [MODEL]`: what models cost, from when and where the figures are.

use std::collections::BTreeSet;

use serde_json::json;

use self::document::document;
use self::shown::{list, one};
use super::flags::JsonArg;
use super::steps::price_tables;
use super::{Context, config_error};
use crate::config::{key, nearest};
use crate::cost::{Listing, OwnPrice, Price, listing, listings};
use crate::provider::{Vendor, dialect};
use crate::ui::{CommandError, ExitCode};

mod document;
mod shown;

/// Names that are suggested for one that is not listed.
const SUGGESTED: usize = 4;

/// Arguments of `prices`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Model to tell all about, as MODEL or PROVIDER:MODEL [default: the list of one provider]
    #[arg(value_name = "MODEL")]
    pub model: Option<String>,
    /// Whose prices [default: the provider that would be asked]
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// The lists of all providers
    #[arg(long, conflicts_with_all = ["model", "provider"])]
    pub all: bool,
    /// As JSON.
    #[command(flatten)]
    pub json: JsonArg,
}

/// A provider by its own name, and the lists that price its models, the first that knows one.
struct Shop {
    name: String,
    tables: Vec<String>,
    currency: &'static str,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CommandError> {
    let args = &split(args, context);
    let shop = Shop::of(args, context)?;
    match &args.model {
        Some(model) => tell_one(context, &shop, model.trim()),
        None => tell_list(context, &shop, args.all),
    }
}

impl Shop {
    /// The provider that was named or is set; else the maker of the model; else the usual one.
    fn of(args: &Args, context: &Context) -> Result<Self, CommandError> {
        let settings = &context.settings;
        let model = args.model.as_deref().unwrap_or_default();
        let set = || settings.get(key::PROVIDER).map(|name| before_colon(&name).to_owned());
        let name = match args.provider.as_deref().map(before_colon).map(str::to_owned).or_else(set)
        {
            Some(name) => name,
            None => Vendor::of_model(model).map_or("openai", Vendor::provider_name).to_owned(),
        };
        // The list knows providers that cannot be asked yet.
        let is_listed_only = dialect(&name).is_err()
            && !settings.provider_entries().contains_key(&name)
            && listings(Some(&name)).next().is_some();
        if is_listed_only {
            return Ok(Self { tables: vec![name.clone()], name, currency: "USD" });
        }
        let account = settings.account(&name).map_err(config_error)?;
        let currency = account.dialect.currency;
        Ok(Self { tables: price_tables(&account, model), name, currency })
    }

    fn tables(&self) -> Vec<&str> {
        self.tables.iter().map(String::as_str).collect()
    }

    /// The names that the list has there.
    fn listed(&self) -> impl Iterator<Item = &'static Listing> {
        self.tables.iter().flat_map(|table| listings(Some(table)))
    }

    /// Listed names that may have been meant.
    fn near(&self, model: &str) -> Vec<&'static str> {
        let asked = model.to_ascii_lowercase();
        let names: BTreeSet<&'static str> =
            self.listed().map(|listing| listing.price.model.as_str()).collect();
        let mut near: Vec<&str> = nearest(&asked, names.iter().copied()).into_iter().collect();
        let is_kin =
            |name: &str| !asked.is_empty() && (name.starts_with(&asked) || asked.starts_with(name));
        for name in names.into_iter().rev() {
            if near.len() < SUGGESTED && is_kin(name) && !near.contains(&name) {
                near.push(name);
            }
        }
        near
    }
}

/// `PROVIDER:MODEL` as it is written elsewhere, where that is a provider's name.
fn split(args: &Args, context: &Context) -> Args {
    let mut args = args.clone();
    let named = args.model.as_deref().and_then(|model| model.split_once(':'));
    let is_provider = |name: &str| {
        context.settings.provider_names().iter().any(|known| known == name)
            || listings(Some(name)).next().is_some()
    };
    if let Some((provider, model)) = named
        && is_provider(provider.trim())
    {
        let (provider, model) = (provider.trim().to_owned(), model.trim().to_owned());
        args.model = Some(model);
        args.provider = args.provider.or(Some(provider));
    }
    args
}

fn before_colon(name: &str) -> &str {
    name.split(':').next().unwrap_or(name).trim()
}

fn tell_one(context: &Context, shop: &Shop, model: &str) -> Result<ExitCode, CommandError> {
    let book = context.settings.price_book();
    let Some(price) = book.find_in(&shop.name, &shop.tables(), model) else {
        return unknown(context, shop, model);
    };
    let known = shop.tables.iter().find_map(|table| listing(table, model));
    if context.json {
        let mut told = document(&price, known);
        told["schema_version"] = json!(1);
        told["asked"] = json!(model);
        told["warnings"] = json!(price.warnings(model, context.today()));
        context.printer.json(&told)?;
        return Ok(ExitCode::Success);
    }
    for line in one(model, &price, known) {
        context.printer.data(&line)?;
    }
    let others = elsewhere(&price.provider, model);
    if !others.is_empty() {
        let names = others.join(", ");
        context.printer.note(&format!("also listed at {names}: --provider NAME"));
    }
    for warning in price.warnings(model, context.today()) {
        context.printer.warning(&warning);
    }
    Ok(ExitCode::Success)
}

/// Other providers whose list has the model.
fn elsewhere(provider: &str, model: &str) -> Vec<&'static str> {
    let names: BTreeSet<&'static str> =
        listings(None).map(|listing| listing.price.provider.as_str()).collect();
    names.into_iter().filter(|name| *name != provider && listing(name, model).is_some()).collect()
}

/// A question that scripts can put: exit 2 says that no price is known.
fn unknown(context: &Context, shop: &Shop, model: &str) -> Result<ExitCode, CommandError> {
    let near = shop.near(model);
    if context.json {
        let told = json!({
            "schema_version": 1, "asked": model, "provider": shop.name, "model": null,
            "batch": null, "realtime": null, "near": near,
        });
        context.printer.json(&told)?;
    }
    let text = format!("no price is known for {model} at {}", shop.name);
    let mut error = CommandError::usage(text);
    let others = elsewhere(&shop.name, model);
    if let [first, ..] = others.as_slice() {
        let model = context.shell.quote(model);
        error = error.hint(format!(
            "listed at {}: batchctl prices {model} --provider {first}",
            others.join(", ")
        ));
    }
    if !near.is_empty() {
        error = error.hint(format!("listed there: {}", near.join(", ")));
    }
    let file = context.surroundings.user_file().map(|(path, _)| path.display().to_string());
    let file = file.unwrap_or_else(|| "your configuration file".to_owned());
    let quoted = model.replace('\\', "\\\\").replace('"', "\\\"");
    Err(error.hint(format!(
        "write what it costs into {file}:\n\
         \x20   [prices.\"{quoted}\"]\n\
         \x20   currency = \"{}\"\n\
         \x20   input = 0.30          # a million prompt tokens\n\
         \x20   output = 1.20         # a million completion tokens\n\
         \x20   batch_factor = 0.5    # what a batch costs of that; leave it out if unknown",
        shop.currency
    )))
}

fn tell_list(context: &Context, shop: &Shop, all: bool) -> Result<ExitCode, CommandError> {
    let book = context.settings.price_book();
    let is_everywhere = all || shop.name == "sandbox";
    // What the user set for a listed model stands in its place.
    let valid = |entry: &Listing| {
        let mut entry = entry.clone();
        let own_name = entry.price.provider.clone();
        let name = if is_everywhere { &own_name } else { &shop.name };
        let price = book.find_in(name, &[&own_name], &entry.price.model);
        if let Some(price) = price.filter(|price| price.is_own) {
            entry.price = Price { provider: own_name, model: entry.price.model, ..price };
        }
        entry
    };
    let listed: Vec<Listing> = if is_everywhere {
        listings(None).map(valid).collect()
    } else {
        shop.listed().map(valid).collect()
    };
    let is_meant = |own: &&OwnPrice| is_everywhere || own.is_of(&shop.name, &shop.tables());
    let own: Vec<Price> = book.own().iter().filter(is_meant).map(OwnPrice::alone).collect();
    if context.json {
        let own = own.iter().map(|price| document(price, None));
        let listed = listed.iter().map(|listing| document(&listing.price, Some(listing)));
        let prices: Vec<_> = own.chain(listed).collect();
        context.printer.json(&json!({ "schema_version": 1, "prices": prices }))?;
        return Ok(ExitCode::Success);
    }
    for line in list(&own, &listed, context.today()) {
        context.printer.data(&line)?;
    }
    if listed.is_empty() {
        context.printer.note(&format!("the list has no prices of {}", shop.name));
    }
    if !is_everywhere {
        context
            .printer
            .note("other providers: --provider NAME or --all; one model: batchctl prices MODEL");
    }
    Ok(ExitCode::Success)
}
