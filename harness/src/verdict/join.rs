//! Which connections a proxy joined to sessions.
//!
//! The proxy itself tells (`show sess`), unless a session ended before it could be asked. What is left is joined only when there
//! is one way to do it; two possible joins are ambiguous, and no join is made.
//!
//! A session has one client's leg and, on the server's side, the attempts to connect one after the other ([`super::attempts`]):
//! the one that succeeded is *the* server's leg.

use std::collections::HashMap;

use super::attempts;
use super::model::{Connection, Model};
use crate::evidence::{Moment, Pair, Role, Span};

/// A proxy opens the server's leg this long after it accepted the client's, at the latest, when nothing is queued.
const OPENS_WITHIN: Span = Span::millis(1000);

/// The sessions of a case.
#[derive(Debug, Default)]
pub struct Joins {
    /// The client's leg of each connection that a proxy opened for a session.
    clients: HashMap<usize, usize>,
    /// What a proxy opened for a client's leg, in order.
    servers: HashMap<usize, Vec<usize>>,
    /// The server's leg of a client's leg: the attempt that succeeded, else the last one.
    legs: HashMap<usize, usize>,
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
            let find = |pair: &Pair| {
                model.connections.iter().rposition(|c| c.began <= *told && c.endpoints.iter().any(|e| e.pair == *pair))
            };
            if let (Some(client), Some(server)) = (find(client), find(server)) {
                joins.add(model, client, server);
            }
        }
        // A leg with payload is a session's; what is left without any may be a health check.
        joins.join_the_rest(model, &|leg| carries_payload(model, leg));
        attempts::join(&mut joins, model);
        joins.find_checks(model);
        joins.join_the_rest(model, &|_| true);
        joins
    }

    /// A proxy opened `server` for the session of `client`.
    pub(super) fn add(&mut self, model: &Model, client: usize, server: usize) {
        if self.clients.insert(server, client).is_some() {
            return;
        }
        let servers = self.servers.entry(client).or_default();
        servers.push(server);
        servers.sort_by_key(|server| (model.connections[*server].began, *server));
        let stood = servers.iter().rev().find(|server| model.connections[**server].stood());
        if let Some(leg) = stood.or(servers.last()) {
            self.legs.insert(client, *leg);
        }
    }

    /// The other leg of the session that this connection is a leg of, or was an attempt at.
    #[must_use]
    pub fn other_leg(&self, connection: usize) -> Option<usize> {
        self.clients.get(&connection).or_else(|| self.legs.get(&connection)).copied()
    }

    /// The client's leg of the session that this connection belongs to, if it belongs to one with two sides.
    #[must_use]
    pub fn session(&self, connection: usize) -> Option<usize> {
        let client = self.servers.contains_key(&connection).then_some(connection);
        self.clients.get(&connection).copied().or(client)
    }

    /// What the proxy opened for a client's leg, in order: attempts that failed, and the server's leg.
    #[must_use]
    pub fn opened_for(&self, client: usize) -> &[usize] {
        self.servers.get(&client).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether this connection was opened by a proxy for a health check.
    #[must_use]
    pub fn is_check(&self, connection: usize) -> bool {
        self.checks.contains(&connection)
    }

    /// The health checks that were opened.
    pub fn checks(&self) -> impl Iterator<Item = usize> + '_ {
        self.checks.iter().copied()
    }

    /// Whether a connection that a proxy opened is nobody's yet.
    #[must_use]
    pub fn is_free(&self, connection: usize) -> bool {
        !self.clients.contains_key(&connection) && !self.is_check(connection)
    }

    /// Whether a client's leg still lacks a server's leg that stood.
    #[must_use]
    pub fn lacks_a_leg(&self, model: &Model, client: usize) -> bool {
        self.legs.get(&client).is_none_or(|leg| !model.connections[*leg].stood())
    }

    /// A connection of a proxy's own, without payload, while no client's leg waits for one: a health check.
    fn find_checks(&mut self, model: &Model) {
        for index in opened_by_proxies(model) {
            if !self.is_free(index) || self.ambiguous.contains(&index) {
                continue;
            }
            let opened = &model.connections[index];
            let waiting = opened.stood()
                && accepted_by(model, &opened.endpoints[0].node).any(|client| self.may_belong(model, client, index));
            if !carries_payload(model, index) && !waiting {
                self.checks.push(index);
            }
        }
    }

    fn join_the_rest(&mut self, model: &Model, among: &dyn Fn(usize) -> bool) {
        let proxies: Vec<&str> =
            model.programs.iter().filter(|p| p.role == Role::Proxy).map(|p| p.node.as_str()).collect();
        for proxy in proxies {
            let clients: Vec<usize> =
                accepted_by(model, proxy).filter(|leg| self.lacks_a_leg(model, *leg) && among(*leg)).collect();
            let free: Vec<usize> = opened_by_proxies(model)
                .filter(|leg| model.connections[*leg].endpoints[0].node == proxy && model.connections[*leg].stood())
                .filter(|leg| self.is_free(*leg) && among(*leg))
                .collect();
            let possible = |client: usize| -> Vec<usize> {
                free.iter().copied().filter(|server| self.may_belong(model, client, *server)).collect()
            };
            let options: Vec<(usize, Vec<usize>)> = clients.iter().map(|client| (*client, possible(*client))).collect();
            for (client, servers) in &options {
                match servers.as_slice() {
                    [only] if options.iter().filter(|(_, servers)| servers.contains(only)).count() == 1 => {
                        self.add(model, *client, *only);
                    }
                    [] => {}
                    _ if !self.ambiguous.contains(client) => self.ambiguous.push(*client),
                    _ => {}
                }
            }
        }
    }

    /// Whether an established connection that a proxy opened can be the leg that this client's leg lacks.
    fn may_belong(&self, model: &Model, client: usize, server: usize) -> bool {
        if !self.lacks_a_leg(model, client) || attempts::logged_none(model, client) {
            return false;
        }
        let (leg, opened) = (&model.connections[client], &model.connections[server]);
        let ready = attempts::ready(self, model, client);
        let later = opened.began.since(ready);
        if later < Span(0) || later > OPENS_WITHIN {
            return false;
        }
        let ended = |connection: &Connection, side: usize| connection.endpoints[side].ended();
        // A client that was let go before waits for nothing; a health check is over at once, while the session goes on.
        let gone = ended(leg, 1).is_some_and(|end| end < opened.began);
        let over = ended(opened, 0).filter(|end| end.since(opened.began) <= OPENS_WITHIN);
        let goes_on = |end: Moment| ended(leg, 1).is_none_or(|other| other > end.after(OPENS_WITHIN));
        !gone && !over.is_some_and(goes_on)
    }
}

fn carries_payload(model: &Model, index: usize) -> bool {
    let opener = &model.connections[index].endpoints[0];
    opener.sent.iter().chain(&opener.delivered).any(|seen| seen.payload > 0)
}

/// The connections that proxies opened.
pub(super) fn opened_by_proxies(model: &Model) -> impl Iterator<Item = usize> + '_ {
    let by_proxy = |index: &usize| model.connections[*index].endpoints[0].role == Some(Role::Proxy);
    (0..model.connections.len()).filter(by_proxy)
}

/// The connections that the proxy of a node accepted.
pub(super) fn accepted_by<'a>(model: &'a Model, node: &'a str) -> impl Iterator<Item = usize> + 'a {
    let here = move |index: &usize| {
        let acceptor = &model.connections[*index].endpoints[1];
        acceptor.node == node && acceptor.role == Some(Role::Proxy)
    };
    (0..model.connections.len()).filter(here)
}
