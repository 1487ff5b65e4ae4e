//! What a job will cost before anything is sent: tokens of texts and images, and the table that
//! shows them; what a model costs where. An unknown price is unknown, never 0.
//!
//! Counts are a pure function of model and text or size. Base64 is never given to a tokenizer.

mod bill;
mod caps;
mod estimate;
mod forecast;
mod images;
mod lengths;
mod members;
mod money;
mod numbers;
mod phrases;
mod price;
mod prices;
mod reasks;
mod sheet;
mod shrink;
mod spent;
mod terms;
mod tokens;

pub use bill::{Bill, Level, Step};
pub use caps::{Caps, NotLower};
pub use estimate::{Estimate, Part};
pub use forecast::{Biller, Member as PricedMember, Pricing, reserve_of};
pub use images::{Detail, ImageRule, image_tokens};
pub use lengths::{Lengths, PerRow};
pub use members::OtherBill;
pub use money::{Currency, Money, MoneyError, PICO};
pub use numbers::{grouped, megabytes};
pub use price::{Basis, Price, Rates, Tier, Tokens};
pub use prices::{
    Listing, OLD_DAYS, OwnPrice, PriceBook, first_day, listing, listings, per_million, rate_text,
};
pub use reasks::{ReaskBills, Reasked, Reasking, Reasks};
pub use sheet::{Heading, labelled};
pub use spent::{CostDocument, Saved, Spent, shown, tokens_lines};
pub use terms::{Forecast, Range, Terms};
pub use tokens::{
    ChatText, Counter, Tokenizer, chat_overhead, chat_tokens, text_tokens, unpack_early,
};
