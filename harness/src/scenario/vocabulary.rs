//! The words that the rest of the harness adds to the format: verbs, services, protocols, mechanisms.

use std::fmt::Debug;

use super::client::Client;
use super::cursor::{Fields, Value};
use super::keys::Key;
use super::service::Service;
use super::shape::Shape;

/// A vocabulary. The scenario reader knows the shape of a file; what can be done and run in one is told by this.
pub trait Words: Clone + Debug + Sized + 'static {
    /// What a step of the timeline becomes.
    type Step: Clone + Debug;
    /// What a service runs.
    type Service: Clone + Debug;
    /// What a client speaks.
    type Client: Clone + Debug;

    /// The timeline's verbs: `- cut: { … }`, `- idle: 200s`.
    const STEPS: &'static [Word<Self::Step>];
    /// What services can be: `server: echo`, `command: [ … ]`.
    const SERVICES: &'static [ServiceWord<Self::Service>];
    /// What clients can speak: `protocol: tcp`.
    const PROTOCOLS: &'static [Word<Self::Client>];
    /// The mechanisms that an expectation can name, besides `open` and `half-open`.
    const MECHANISMS: &'static [&'static str];

    /// Why a step asks of a service or client what it cannot do, and what to do about it.
    fn objection(
        _step: &Self::Step,
        _services: &[Service<Self::Service>],
        _clients: &[Client<Self::Client>],
    ) -> Option<(String, String)> {
        None
    }
}

/// A verb of the timeline, or a client's protocol.
pub struct Word<T: 'static> {
    /// How it is written; a space, `_` and `-` in it are the same.
    pub name: &'static str,
    /// One sentence on what it means.
    pub about: &'static str,
    /// What follows its colon, as it stands in a scenario; of a protocol its keys, if it must have any.
    pub example: &'static str,
    /// What `decode` reads.
    pub takes: Shape,
    /// Reads what follows the verb's colon, or a client's keys that are not common to all clients.
    /// `None` means that an error has been added.
    pub decode: fn(Value<'_>) -> Option<T>,
}

/// A key of a service that says what it is, perhaps together with the key's value.
pub struct ServiceWord<T: 'static> {
    /// The key: `server`, `proxy`, `command`.
    pub key: &'static str,
    /// The key's value (`echo` in `server: echo`); `None` if `decode` reads it.
    pub value: Option<&'static str>,
    /// Keys that say by themselves what a service is, and beside this one only how: `command` beside `image`.
    pub beside: &'static [&'static str],
    /// One sentence on what it means.
    pub about: &'static str,
    /// The keys that `decode` reads.
    pub keys: &'static [&'static [Key]],
    /// Reads the keys that are not common to all services (and `key` itself, if `value` is `None`).
    /// `None` means that an error has been added.
    pub decode: fn(&mut Fields<'_>) -> Option<T>,
}
