//! Exchanges and bindings, and the queues that a message is routed to.

use std::collections::{BTreeMap, BTreeSet};

use amq_protocol::protocol::{AMQPClass, AMQPHardError, AMQPSoftError, exchange};

use super::super::exception::Exception;
use super::{Place, Store, unexpected};

/// How an exchange chooses among its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The keys are equal.
    Direct,
    /// All of them.
    Fanout,
    /// The binding's key is a pattern of words.
    Topic,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        [Self::Direct, Self::Fanout, Self::Topic].into_iter().find(|kind| kind.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
        }
    }
}

/// An exchange and the bindings of which it is the source.
#[derive(Debug)]
pub struct Exchange {
    kind: Kind,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    bindings: Vec<Binding>,
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whereto.
    pub to: Target,
    /// Its key.
    pub key: String,
}

/// Whereto a binding leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A queue.
    Queue(String),
    /// Another exchange.
    Exchange(String),
}

/// The exchanges that are always there. The default one has no bindings: every queue is bound to it by its name.
pub fn predeclared() -> BTreeMap<String, Exchange> {
    let one = |name: &str, kind| {
        let exchange = Exchange { kind, durable: true, auto_delete: false, internal: false, bindings: Vec::new() };
        (name.to_string(), exchange)
    };
    [
        one("", Kind::Direct),
        one("amq.direct", Kind::Direct),
        one("amq.fanout", Kind::Fanout),
        one("amq.topic", Kind::Topic),
    ]
    .into()
}

impl Store {
    /// Plays a method of the class `exchange`.
    pub(super) fn exchange_method(&mut self, at: Place, method: exchange::AMQPMethod) -> Result<(), Exception> {
        use exchange::AMQPMethod::{Bind, BindOk, Declare, DeclareOk, Delete, DeleteOk, Unbind, UnbindOk};
        let (no_wait, reply) = match method {
            Declare(declare) => {
                self.declare_exchange(&declare)?;
                (declare.nowait, DeclareOk(exchange::DeclareOk {}))
            }
            Delete(delete) => {
                self.delete_exchange(delete.exchange.as_str(), delete.if_unused)?;
                (delete.nowait, DeleteOk(exchange::DeleteOk {}))
            }
            Bind(bind) => {
                self.need_exchange(bind.destination.as_str())?;
                let to = Target::Exchange(bind.destination.as_str().into());
                self.bind(bind.source.as_str(), Binding { to, key: bind.routing_key.as_str().into() })?;
                (bind.nowait, BindOk(exchange::BindOk {}))
            }
            Unbind(unbind) => {
                let to = Target::Exchange(unbind.destination.as_str().into());
                self.unbind(unbind.source.as_str(), &Binding { to, key: unbind.routing_key.as_str().into() })?;
                (unbind.nowait, UnbindOk(exchange::UnbindOk {}))
            }
            DeclareOk(_) | DeleteOk(_) | BindOk(_) | UnbindOk(_) => return Err(unexpected()),
        };
        self.reply_unless(no_wait, at, AMQPClass::Exchange(reply));
        Ok(())
    }

    fn declare_exchange(&mut self, declare: &exchange::Declare) -> Result<(), Exception> {
        let name = declare.exchange.as_str();
        not_the_default(name)?;
        if declare.passive {
            return self.need_exchange(name);
        }
        let kind = Kind::named(declare.kind.as_str()).ok_or_else(|| {
            let explanation = format!("unknown exchange type '{}'", declare.kind);
            Exception::hard(AMQPHardError::COMMANDINVALID, explanation)
        })?;
        if let Some(there) = self.exchanges.get(name) {
            let same = |what, wanted: &str, is: &str| same(what, "exchange", name, wanted, is);
            same("type", kind.name(), there.kind.name())?;
            same("durable", &declare.durable.to_string(), &there.durable.to_string())?;
            same("auto_delete", &declare.auto_delete.to_string(), &there.auto_delete.to_string())?;
            return same("internal", &declare.internal.to_string(), &there.internal.to_string());
        }
        not_reserved("exchange", name)?;
        let (durable, auto_delete, internal) = (declare.durable, declare.auto_delete, declare.internal);
        self.exchanges.insert(name.into(), Exchange { kind, durable, auto_delete, internal, bindings: Vec::new() });
        Ok(())
    }

    fn delete_exchange(&mut self, name: &str, if_unused: bool) -> Result<(), Exception> {
        not_the_default(name)?;
        not_reserved("exchange", name)?;
        let used = self.exchanges.get(name).is_some_and(|exchange| !exchange.bindings.is_empty());
        if if_unused && used {
            return Err(Exception::precondition(format!("exchange '{name}' in vhost '/' in use")));
        }
        self.exchanges.remove(name);
        self.unbind_all(&Target::Exchange(name.into()));
        Ok(())
    }

    /// Adds a binding, once.
    pub(super) fn bind(&mut self, source: &str, binding: Binding) -> Result<(), Exception> {
        not_the_default(source)?;
        let exchange = self.exchanges.get_mut(source).ok_or_else(|| Exception::not_found("exchange", source))?;
        if !exchange.bindings.contains(&binding) {
            exchange.bindings.push(binding);
        }
        Ok(())
    }

    /// Removes a binding; one that is not there is removed already.
    pub(super) fn unbind(&mut self, source: &str, binding: &Binding) -> Result<(), Exception> {
        not_the_default(source)?;
        self.need_exchange(source)?;
        self.without(source, |there| there == binding);
        Ok(())
    }

    /// Removes the bindings that lead to what is no more.
    pub(super) fn unbind_all(&mut self, to: &Target) {
        let sources: Vec<String> = self.exchanges.keys().cloned().collect();
        for source in sources {
            self.without(&source, |there| there.to == *to);
        }
    }

    /// An exchange that deletes itself does so with its last binding.
    fn without(&mut self, source: &str, goes: impl Fn(&Binding) -> bool) {
        let Some(exchange) = self.exchanges.get_mut(source) else { return };
        let before = exchange.bindings.len();
        exchange.bindings.retain(|binding| !goes(binding));
        if exchange.auto_delete && exchange.bindings.is_empty() && before > 0 {
            self.exchanges.remove(source);
            self.unbind_all(&Target::Exchange(source.into()));
        }
    }

    fn need_exchange(&self, name: &str) -> Result<(), Exception> {
        if self.exchanges.contains_key(name) { Ok(()) } else { Err(Exception::not_found("exchange", name)) }
    }

    /// The queues that a message goes to.
    pub(super) fn route(&self, exchange: &str, key: &str) -> Result<BTreeSet<String>, Exception> {
        let first = self.exchanges.get(exchange).ok_or_else(|| Exception::not_found("exchange", exchange))?;
        if first.internal {
            let explanation = format!("cannot publish to internal exchange '{exchange}' in vhost '/'");
            return Err(Exception::soft(AMQPSoftError::ACCESSREFUSED, explanation));
        }
        if exchange.is_empty() {
            return Ok(self.queues.contains_key(key).then(|| key.to_string()).into_iter().collect());
        }
        let (mut seen, mut due) = (BTreeSet::from([exchange]), vec![first]);
        let mut queues = BTreeSet::new();
        while let Some(exchange) = due.pop() {
            for binding in exchange.bindings.iter().filter(|binding| matches(exchange.kind, &binding.key, key)) {
                match &binding.to {
                    Target::Queue(name) => {
                        queues.insert(name.clone());
                    }
                    Target::Exchange(name) => {
                        if seen.insert(name) {
                            due.extend(self.exchanges.get(name));
                        }
                    }
                }
            }
        }
        Ok(queues)
    }
}

fn matches(kind: Kind, pattern: &str, key: &str) -> bool {
    match kind {
        Kind::Direct => pattern == key,
        Kind::Fanout => true,
        Kind::Topic => {
            let words: Vec<&str> = key.split('.').collect();
            topic(&pattern.split('.').collect::<Vec<_>>(), if key.is_empty() { &[] } else { &words })
        }
    }
}

/// Whether words fit a topic's pattern: `*` is one word, `#` any number (AMQP 0-9-1, 3.1.3.3). Row by row, as recursion takes a
/// time that grows without bounds with the number of `#`.
pub fn topic(pattern: &[&str], words: &[&str]) -> bool {
    // fits[n]: the pattern so far fits the first n words.
    let mut fits: Vec<bool> = (0..=words.len()).map(|n| n == 0).collect();
    for part in pattern {
        fits = match *part {
            "#" => fits
                .iter()
                .scan(false, |any, fit| {
                    *any |= fit;
                    Some(*any)
                })
                .collect(),
            // An empty pattern is one empty word, and fits the key without words.
            "" if pattern.len() == 1 && words.is_empty() => fits,
            part => std::iter::once(false)
                .chain(words.iter().zip(&fits).map(|(word, fit)| *fit && (part == "*" || part == *word)))
                .collect(),
        };
    }
    fits.last().copied().unwrap_or_default()
}

fn not_the_default(name: &str) -> Result<(), Exception> {
    if name.is_empty() {
        let explanation = "operation not permitted on the default exchange";
        return Err(Exception::soft(AMQPSoftError::ACCESSREFUSED, explanation));
    }
    Ok(())
}

/// Names that begin with `amq.` are the broker's (AMQP 0-9-1, 2.1).
pub fn not_reserved(what: &str, name: &str) -> Result<(), Exception> {
    if name.starts_with("amq.") {
        let explanation = format!("{what} name '{name}' contains reserved prefix 'amq.*'");
        return Err(Exception::soft(AMQPSoftError::ACCESSREFUSED, explanation));
    }
    Ok(())
}

/// What is declared again must be declared alike (rabbit_misc.erl, `assert_args_equivalence1/4`).
pub fn same(what: &str, of: &str, name: &str, wanted: &str, is: &str) -> Result<(), Exception> {
    if wanted == is {
        return Ok(());
    }
    Err(Exception::precondition(format!(
        "inequivalent arg '{what}' for {of} '{name}' in vhost '/': received '{wanted}' but current is '{is}'"
    )))
}
