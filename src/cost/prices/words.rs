//! What is to be said of a price: how old it is, whose it is, and what speaks against a batch.

use jiff::civil::Date;

use crate::cost::price::Price;

/// Prices older than that many days say so.
pub const OLD_DAYS: i64 = 180;

/// The day that a text names, the first one of its month for `2026-09`; `None` for anything else.
pub fn first_day(text: &str) -> Option<Date> {
    let text = text.trim();
    let is_month = text.len() == "2026-09".len();
    let day = if is_month { format!("{text}-01") } else { text.to_owned() };
    (day.len() == "2026-09-01".len()).then(|| day.parse().ok()).flatten()
}

impl Price {
    /// How old the figures are, in days; `None` where no day is known.
    pub fn age_days(&self, today: Date) -> Option<i64> {
        let since = first_day(&self.as_of)?.until(today).ok()?;
        Some(i64::from(since.get_days()))
    }

    /// Whose figures they are and of which day, in a few words: `prices of 2026-11-20`.
    pub fn dated(&self) -> String {
        match (self.is_own, self.as_of.as_str()) {
            (true, "") => "prices set by you".to_owned(),
            (true, day) => format!("prices set by you, of {day}"),
            (false, day) => format!("prices of {day}"),
        }
    }

    /// That the figures are older than [`OLD_DAYS`] days, and where to look; `None` if they are not.
    pub fn is_old(&self, today: Date) -> Option<String> {
        let days = self.age_days(today).filter(|days| *days > OLD_DAYS)?;
        let page = match (&self.vendor_page, self.is_own) {
            (Some(page), _) => page.as_str(),
            (None, true) => self.source.as_str(),
            (None, false) => "the provider's page of prices",
        };
        Some(format!("{}, {days} days old: check {page}", self.dated()))
    }

    /// That the model is not known to be taken in batches; `None` if nothing speaks against it.
    /// It is for the provider to refuse: nothing here does.
    pub fn batch_warning(&self, asked: &str) -> Option<String> {
        if self.batch_accepted != Some(false) {
            return None;
        }
        let why =
            self.batch_refusal.as_deref().unwrap_or("not taken in batches, as far as is known");
        Some(format!("{asked} at {}: {why}; the provider decides", self.provider))
    }

    /// That the model is no longer served, by the list; `None` if it is.
    pub fn retired(&self, asked: &str, today: Date) -> Option<String> {
        let day = self.deprecated_on.as_deref()?;
        let is_over = first_day(day).is_some_and(|day| day <= today);
        is_over.then(|| format!("{asked} is no longer served since {day}, by the list of prices"))
    }

    /// That another name's price is taken; `None` if the very name is listed, or the user chose.
    pub fn stands_for(&self, asked: &str) -> Option<String> {
        let is_same = self.model.eq_ignore_ascii_case(asked.trim());
        (!is_same && !self.is_own).then(|| format!("price of {}", self.model))
    }

    /// All that a person should know before something is sent in batches.
    pub fn warnings(&self, asked: &str, today: Date) -> Vec<String> {
        let all = [self.batch_warning(asked), self.retired(asked, today), self.is_old(today)];
        all.into_iter().flatten().collect()
    }
}
