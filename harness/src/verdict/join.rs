//! Which two connections a proxy joined to a session.
//!
//! The proxy itself tells (`show sess`), unless a session ended before it could be asked. What is left is joined only when there
//! is one way to do it; two possible joins are ambiguous, and no join is made.

use std::collections::HashMap;

use super::model::Model;
use crate::evidence::{Role, Span};

/// A proxy opens the server's leg this long after it accepted the client's, at the latest, when nothing is queued.
const OPENS_WITHIN: Span = Span::millis(1000);

/// The sessions of a case.
#[derive(Debug, Default)]
pub struct Joins {
    /// The other leg of a leg.
    other: HashMap<usize, usize>,
    /// Connections that a proxy opened for health checks.
    checks: Vec<usize>,
    /// Legs that could be joined in more than one way.
    pub ambiguous: Vec<usize>,
}

impl Joins {
    /// Joins the legs of every proxy.
    #[must_use]
    pub fn of(model: &Model) -> Joins {
        let mut joins = Joins::default();
        for (told, client, server) in &model.proxy_sessions {
            // Ports are used again: the proxy means the latest connection of these.
            let find = |pair: &crate::evidence::Pair| {
                model.connections.iter().rposition(|c| c.began <= *told && c.endpoints.iter().any(|e| e.pair == *pair))
            };
            if let (Some(client), Some(server)) = (find(client), find(server)) {
                joins.add(client, server);
            }
        }
        // A leg with payload is a session's; what is left without any may be a health check.
        joins.join_the_rest(model, &|leg| carries_payload(model, leg));
        joins.find_checks(model);
        joins.join_the_rest(model, &|_| true);
        joins
    }

    fn add(&mut self, client: usize, server: usize) {
        self.other.insert(client, server);
        self.other.insert(server, client);
    }

    /// The other leg of the session that this connection is a leg of.
    #[must_use]
    pub fn other_leg(&self, connection: usize) -> Option<usize> {
        self.other.get(&connection).copied()
    }

    /// Whether this connection was opened by a proxy for a health check.
    #[must_use]
    pub fn is_check(&self, connection: usize) -> bool {
        self.checks.contains(&connection)
    }

    /// A connection of a proxy's own, without payload, while no client's leg waits for one: a health check.
    fn find_checks(&mut self, model: &Model) {
        for index in opened_by_proxies(model) {
            if self.other.contains_key(&index) {
                continue;
            }
            let leg = &model.connections[index];
            let payload = carries_payload(model, index);
            let waiting = accepted_by(model, &leg.endpoints[0].node).any(|client| {
                let opened = leg.began.since(model.connections[client].began);
                !self.other.contains_key(&client) && opened >= Span(0) && opened <= OPENS_WITHIN
            });
            if !payload && !waiting {
                self.checks.push(index);
            }
        }
    }

    fn join_the_rest(&mut self, model: &Model, among: &dyn Fn(usize) -> bool) {
        let proxies: Vec<&str> =
            model.programs.iter().filter(|p| p.role == Role::Proxy).map(|p| p.node.as_str()).collect();
        for proxy in proxies {
            let clients: Vec<usize> =
                accepted_by(model, proxy).filter(|leg| !self.other.contains_key(leg) && among(*leg)).collect();
            let free: Vec<usize> = opened_by_proxies(model)
                .filter(|leg| model.connections[*leg].endpoints[0].node == proxy)
                .filter(|leg| !self.other.contains_key(leg) && !self.checks.contains(leg) && among(*leg))
                .collect();
            let possible = |client: usize| -> Vec<usize> {
                let began = model.connections[client].began;
                let fits = |server: &usize| {
                    let later = model.connections[*server].began.since(began);
                    later >= Span(0) && later <= OPENS_WITHIN
                };
                free.iter().copied().filter(fits).collect()
            };
            let options: Vec<(usize, Vec<usize>)> = clients.iter().map(|client| (*client, possible(*client))).collect();
            for (client, servers) in &options {
                match servers.as_slice() {
                    [only] if options.iter().filter(|(_, servers)| servers.contains(only)).count() == 1 => {
                        self.add(*client, *only);
                    }
                    [] => {}
                    _ if !self.ambiguous.contains(client) => self.ambiguous.push(*client),
                    _ => {}
                }
            }
        }
    }
}

fn carries_payload(model: &Model, index: usize) -> bool {
    let opener = &model.connections[index].endpoints[0];
    opener.sent.iter().chain(&opener.delivered).any(|seen| seen.payload > 0)
}

fn opened_by_proxies(model: &Model) -> impl Iterator<Item = usize> + '_ {
    let by_proxy = |index: &usize| model.connections[*index].endpoints[0].role == Some(Role::Proxy);
    (0..model.connections.len()).filter(by_proxy)
}

fn accepted_by<'a>(model: &'a Model, node: &'a str) -> impl Iterator<Item = usize> + 'a {
    let here = move |index: &usize| {
        let acceptor = &model.connections[*index].endpoints[1];
        acceptor.node == node && acceptor.role == Some(Role::Proxy)
    };
    (0..model.connections.len()).filter(here)
}
