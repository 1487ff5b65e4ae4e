//! The whole server over real HTTP.

mod calls;
mod chats;
mod faults_of_batches;
mod faults_of_calls;
mod lifecycle;
mod recovery;
mod refusals;
mod seen_calls;
mod shapes;
mod two_ways;
mod upstreams;
