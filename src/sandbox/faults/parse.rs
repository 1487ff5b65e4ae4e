//! Rules out of text: targets, conditions, and the words of faults by target.

use super::error::{FaultError, Trouble};
use super::rule::{Call, Fault, Rule, Target, When, Which};
use super::token::{Tokens, plain, span, split_outside_quotes};
use super::{parse_calls, parse_ends, seed};
use crate::sandbox::Family;

/// The words for targets.
pub(super) const TARGETS: [(&str, Target); 14] = [
    ("upload", Target::Call(Call::Upload)),
    ("list-files", Target::Call(Call::ListFiles)),
    ("file", Target::Call(Call::File)),
    ("download", Target::Call(Call::Download)),
    ("delete", Target::Call(Call::Delete)),
    ("create", Target::Call(Call::Create)),
    ("retrieve", Target::Call(Call::Retrieve)),
    ("list", Target::Call(Call::List)),
    ("cancel", Target::Call(Call::Cancel)),
    ("realtime", Target::Call(Call::Realtime)),
    ("models", Target::Call(Call::Models)),
    ("any", Target::AnyCall),
    ("batch", Target::Batch),
    ("result", Target::Result),
];

/// The words for conditions.
pub(super) const CONDITIONS: [&str; 7] =
    ["key", "account", "family", "after", "until", "chance", "seed"];

/// Reads all rules of a text; `seed:N` among them stands for the rules that it makes.
pub(super) fn rules(text: &str) -> Result<Vec<Rule>, FaultError> {
    let mut rules = Vec::new();
    for line in split_outside_quotes(text, &['\n']) {
        if line.trim_start().starts_with('#') {
            continue;
        }
        for piece in split_outside_quotes(line, &[';']) {
            let piece = piece.trim();
            if piece.is_empty() {
                continue;
            }
            let failed = |Trouble(reason)| FaultError::Rule { rule: piece.to_owned(), reason };
            match piece.strip_prefix("seed:").or_else(|| piece.strip_prefix("seed=")) {
                Some(number) => rules.extend(seeded(number).map_err(failed)?),
                None => rules.push(rule(piece).map_err(failed)?),
            }
        }
    }
    Ok(rules)
}

fn seeded(number: &str) -> Result<Vec<Rule>, Trouble> {
    let number = number.trim().parse();
    let number = number.map_err(|_| Trouble::new("after seed: stands a whole number"))?;
    seed::schedule(number).iter().map(|text| rule(text)).collect()
}

/// Reads one rule.
pub(super) fn rule(text: &str) -> Result<Rule, Trouble> {
    let text = text.trim();
    let head = split_outside_quotes(text, &[':']).first().map_or(0, |head| head.len());
    let (head, fault) = text.split_at(head);
    let Some(fault) = fault.strip_prefix(':') else {
        return Err(Trouble::new("a rule is TARGET: FAULT, such as create#2: after-commit close"));
    };
    let (target, which, when) = read_head(head)?;
    Ok(Rule { fault: read_fault(target, fault)?, text: text.to_owned(), target, which, when })
}

fn read_head(head: &str) -> Result<(Target, Which, When), Trouble> {
    let mut tokens = Tokens::of(head)?;
    let first = tokens.next().ok_or_else(|| Trouble::new("the target is missing before `:`"))?;
    let name = first.split(['#', '%']).next().unwrap_or_default();
    let word = plain(name);
    let target = TARGETS.iter().find(|(known, _)| *known == word).map(|(_, target)| *target);
    let target = target
        .ok_or_else(|| Trouble::unknown("target", name, TARGETS.iter().map(|(known, _)| *known)))?;
    let which = which(&first[name.len()..])?;
    let mut when = When::default();
    while let Some(condition) = tokens.next() {
        read_condition(&condition, &mut when)?;
    }
    Ok((target, which, when))
}

/// `#2`, `#2-4`, `#2+`, `%3`, or nothing.
fn which(text: &str) -> Result<Which, Trouble> {
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
    let read = || -> Option<Which> {
        if let Some(step) = text.strip_prefix('%') {
            return number(step).map(Which::Every);
        }
        let Some(range) = text.strip_prefix('#') else { return Some(Which::All) };
        if let Some(from) = range.strip_suffix('+') {
            return Some(Which::Range(number(from)?, None));
        }
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to) = (number(from)?, number(to)?);
        (from <= to).then_some(Which::Range(from, Some(to)))
    };
    read().ok_or_else(|| Trouble::new(format!("`{text}` is none of #2, #2-4, #2+, %3")))
}

fn read_condition(condition: &str, when: &mut When) -> Result<(), Trouble> {
    let (name, value) = condition.split_once('=').unwrap_or((condition, ""));
    let (word, text) = (plain(name), value.to_owned());
    let wrong = || Trouble::new(format!("`{condition}` has no value that can be read"));
    if CONDITIONS.contains(&word.as_str()) && value.is_empty() {
        return Err(wrong());
    }
    match word.as_str() {
        "key" => when.key = Some(text),
        "account" => when.account = Some(text),
        "family" => {
            let family = Family::ALL.into_iter().find(|family| family.name() == plain(value));
            when.family = Some(family.ok_or_else(wrong)?.name().to_owned());
        }
        "after" => when.after = Some(span(value).ok_or_else(wrong)?),
        "until" => when.until = Some(span(value).ok_or_else(wrong)?),
        "chance" => {
            let chance = value.parse().ok().filter(|chance| (0.0..=1.0).contains(chance));
            when.chance = Some(chance.ok_or_else(wrong)?);
        }
        "seed" => when.seed = value.parse().map_err(|_| wrong())?,
        _ => return Err(Trouble::unknown("condition", name, CONDITIONS)),
    }
    Ok(())
}

fn read_fault(target: Target, text: &str) -> Result<Fault, Trouble> {
    match target {
        Target::Batch => parse_ends::batch_fault(Tokens::of(text)?).map(Fault::Batch),
        Target::Result => parse_ends::result_fault(Tokens::of(text)?).map(Fault::Result),
        Target::Call(_) | Target::AnyCall => parse_calls::fault(target, text),
    }
}
