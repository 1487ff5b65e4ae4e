//! Limits that a cloned folder brings along: they may only be lower than the user's own. Where the
//! user set none, any limit is lower.

use super::keys::Setting;
use super::value::Value;
use crate::cost::{Caps, NotLower};

/// What holds when a project asks for this limit beside the user's; the error says why it may not.
pub(super) fn lowered(
    setting: &Setting,
    user: Option<&Value>,
    new: Value,
) -> Result<Value, String> {
    let name = setting.name;
    let Some(user) = user else { return Ok(new) };
    let above = |new: &str, user: &str| {
        format!("{new} is above your own {name}, which is {user}; set it in your own configuration")
    };
    match (user, new) {
        (Value::Whole(user), Value::Whole(new)) if new > *user => {
            Err(above(&new.to_string(), &user.to_string()))
        }
        (Value::Text(user), Value::Text(new)) => {
            let caps = |text: &str| text.parse::<Caps>().map_err(|error| error.to_string());
            match caps(user)?.lowered(&caps(&new)?) {
                Ok(lower) => Ok(Value::Text(lower.to_string())),
                Err(NotLower::Above(new, user)) => Err(above(&new.typed(), &user.typed())),
                Err(NotLower::Elsewhere) => Err(format!(
                    "{new} cannot be compared with your own {name}, which is {user}; name the \
                     same currency"
                )),
            }
        }
        (_, new) => Ok(new),
    }
}
