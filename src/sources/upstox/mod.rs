//! Upstox market data V3: everything between the network and plain decoded values. It decides
//! nothing: when to connect, what to subscribe and what a trade means is for others to say.
//!
//! - [`candles`] minutes of the archive out of JSON
//! - [`endpoint`] whom to talk to, and whose certificates to believe
//! - [`fetch`] calls of the archive, one after the other
//! - [`frame`] one message of the feed as plain values
//! - [`message`] what is said to the feed, and its answers in words
//! - [`proto`] the feed's messages, generated from `feed_v3.proto`
//! - [`raw`] messages as they came, kept beside a journal
//! - [`rest`] the REST interface: where the feed is, minutes of the archive
//! - [`socket`] the connection to the feed, on a thread of its own
//! - [`token`] the access token, which nothing shows
//! - [`value`] numbers and words of others, checked

pub mod candles;
pub mod endpoint;
pub mod fetch;
pub mod frame;
pub mod message;
pub mod proto;
pub mod raw;
pub mod rest;
pub mod socket;
pub mod token;
pub mod value;
