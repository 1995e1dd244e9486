//! What the broker reproaches a client with: AMQP's reply codes in RabbitMQ's words.

use amq_protocol::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use amq_protocol::types::ShortString;

/// The longest text that a short string takes, bytes (AMQP 0-9-1, 4.2.5.3).
const LONGEST: usize = 255;

/// A channel exception (soft: the channel ends) or a connection exception (hard: the connection does); AMQP 0-9-1, 1.2.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// Which reply code.
    pub kind: AMQPErrorKind,
    /// What is wrong, for people.
    pub explanation: String,
}

impl Exception {
    /// An exception that ends the connection.
    pub fn hard(kind: AMQPHardError, explanation: impl Into<String>) -> Self {
        Self { kind: kind.into(), explanation: explanation.into() }
    }

    /// An exception that ends the channel.
    pub fn soft(kind: AMQPSoftError, explanation: impl Into<String>) -> Self {
        Self { kind: kind.into(), explanation: explanation.into() }
    }

    /// 404, in RabbitMQ's words: `no queue 'x' in vhost '/'`.
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::soft(AMQPSoftError::NOTFOUND, format!("no {what} '{name}' in vhost '/'"))
    }

    /// 406.
    pub fn precondition(explanation: impl Into<String>) -> Self {
        Self::soft(AMQPSoftError::PRECONDITIONFAILED, explanation)
    }

    /// 540.
    pub fn not_implemented(explanation: impl Into<String>) -> Self {
        Self::hard(AMQPHardError::NOTIMPLEMENTED, explanation)
    }

    /// Whether only the channel ends.
    pub fn is_soft(&self) -> bool {
        matches!(self.kind, AMQPErrorKind::Soft(_))
    }

    /// The reply code's name as RabbitMQ writes it: `NOT_FOUND`.
    pub fn name(&self) -> String {
        let name = match &self.kind {
            AMQPErrorKind::Soft(kind) => kind.to_string(),
            AMQPErrorKind::Hard(kind) => kind.to_string(),
        };
        name.replace('-', "_")
    }

    /// The reply text: `NOT_FOUND - no queue 'x' in vhost '/'` (rabbit_binary_generator.erl, `amqp_exception_explanation/2`).
    pub fn text(&self) -> ShortString {
        let mut text = format!("{} - {}", self.name(), self.explanation);
        if text.len() > LONGEST {
            let end = (0..=LONGEST - 3).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            text.push_str("...");
        }
        ShortString::try_new(text).unwrap_or_default()
    }
}
