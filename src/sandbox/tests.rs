//! The whole server over real HTTP.

mod calls;
mod lifecycle;
mod recovery;
mod refusals;
mod shapes;
mod upstreams;
