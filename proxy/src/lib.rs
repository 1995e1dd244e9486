//! relay, a TCP proxy that speaks HAProxy's language, and the readers of that language: HAProxy's configuration, its log and its list of
//! sessions.
//!
//! - [`config`] reads a configuration and tells which timeouts and options are in force for each proxy;
//! - [`log`] reads a line of `option tcplog`, with the termination state that says who ended the session;
//! - [`sessions`] reads what `show sess all` answers, which joins the two connections of each session;
//! - [`relay`] is the proxy.
//!
//! The readers take what HAProxy accepts and report what they did not understand, and none of them panics on input. Behaviour
//! follows HAProxy 2.6 and cites the sections of its configuration manual.

pub mod config;
mod date;
pub mod log;
pub mod relay;
pub mod sessions;

pub use date::Date;
