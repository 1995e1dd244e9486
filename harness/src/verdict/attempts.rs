//! The attempts of a proxy to connect a session to a server, of which all but the last failed.
//!
//! An attempt that is over before the proxy can be asked is found by its moment: HAProxy connects at once after the accept, tries
//! another server at once, and the same one again after a turn-around of 1 s, or `timeout connect` where that is less, when it had
//! refused or could not be reached (src/backend.c `back_handle_st_cer()`; measured with 2.6). A health check that fails in just such a moment cannot be told from an attempt: then
//! neither is joined.

use super::join::{Joins, accepted_by, opened_by_proxies};
use super::model::{Connection, Model};
use crate::evidence::{Moment, ProxyLog, ProxyNotice, Role, Source, Span};

/// How late an attempt comes, on an idle machine: HAProxy counts whole milliseconds and adds one.
const LATE: Span = Span::millis(10);
/// How late it can come where other work holds the proxy up; looked for only when nothing comes in time.
const HELD_UP: Span = Span::millis(100);
/// The longest turn-around before the same server is tried again.
const TURN_AROUND: Span = Span::millis(1000);

/// Joins failed attempts to the client's legs that they were made for.
pub fn join(joins: &mut Joins, model: &Model) {
    let proxies: Vec<&str> = model.programs.iter().filter(|p| p.role == Role::Proxy).map(|p| p.node.as_str()).collect();
    for proxy in proxies {
        let clients = accepted_by(model, proxy).filter(|client| !never_tried(model, *client));
        let mut chains: Vec<Chain> = clients.map(|client| Chain { client, seen: Vec::new() }).collect();
        let failed: Vec<usize> = opened_by_proxies(model)
            .filter(|index| model.connections[*index].endpoints[0].node == proxy && !model.connections[*index].stood())
            .collect();
        while !chains.is_empty() {
            chains = Chain::step(joins, model, chains, &failed);
        }
    }
}

/// When the proxy could open the server's leg of a client's leg: after the accept, or after the last attempt that failed.
#[must_use]
pub fn ready(joins: &Joins, model: &Model, client: usize) -> Moment {
    let failed = joins.opened_for(client).iter().filter(|index| !model.connections[**index].stood());
    let ends = failed.filter_map(|index| model.connections[*index].endpoints[0].ended());
    ends.max().unwrap_or(model.connections[client].began)
}

/// Whether the proxy logged of this client's leg that no server's leg of it ever stood.
#[must_use]
pub fn logged_none(model: &Model, client: usize) -> bool {
    logged(model, client).is_some_and(|log| log.server.is_none() || log.connected == Some(false))
}

/// Whether the proxy logged of this client's leg that not even an attempt was made.
fn never_tried(model: &Model, client: usize) -> bool {
    logged(model, client).is_some_and(|log| log.server.is_none() && log.retries == Some(0))
}

/// What a proxy logged of a client's leg.
fn logged(model: &Model, client: usize) -> Option<&ProxyLog> {
    model.proxy_log(client).map(|(_, log)| log)
}

/// The attempts for one client's leg, as far as they have been followed.
struct Chain {
    client: usize,
    /// The failed attempts that are known, in order.
    seen: Vec<usize>,
}

impl Chain {
    /// Whether an attempt can be the next one, if it comes as late as this.
    fn is_due(&self, model: &Model, index: usize, late: Span) -> bool {
        let attempt = &model.connections[index];
        let late = Span(late.0 + model.canary.0);
        // When the host could not be reached no SYN was sent, and the kernel tells of such an attempt's end only.
        let unseen = model.has(Source::Wire) && attempt.endpoints[0].sent.is_empty();
        let at = |moment: Moment| attempt.began >= moment && (unseen || attempt.began.since(moment) <= late);
        let Some(last) = self.seen.last().map(|last| &model.connections[*last]) else {
            return at(model.connections[self.client].began);
        };
        let Some(end) = last.endpoints[0].ended() else { return false };
        let same_server = last.endpoints[1].pair.local == attempt.endpoints[1].pair.local;
        let waits = same_server && failed_with_an_error(last);
        at(if waits { end.after(turn_around(model)) } else { end })
    }

    /// Whether the proxy logged that there were no more failed attempts than these.
    fn is_over(&self, model: &Model) -> bool {
        let Some(log) = logged(model, self.client) else { return false };
        let (Some(retries), Some(connected)) = (log.retries, log.connected) else { return false };
        let failed = usize::try_from(retries).unwrap_or(usize::MAX).saturating_add(usize::from(!connected));
        self.seen.len() >= failed
    }

    /// One more attempt for each chain; those that go on.
    fn step(joins: &mut Joins, model: &Model, chains: Vec<Chain>, failed: &[usize]) -> Vec<Chain> {
        let options: Vec<Vec<usize>> = chains.iter().map(|chain| chain.options(joins, model, failed)).collect();
        let mut further = Vec::new();
        for (mut chain, own) in chains.into_iter().zip(&options) {
            let Some(attempt) = first_of(joins, model, &chain, own) else {
                let free: Vec<usize> = own.iter().copied().filter(|index| joins.is_free(*index)).collect();
                joins.ambiguous.extend(free);
                continue;
            };
            if joins.is_free(attempt) {
                if options.iter().filter(|others| others.contains(&attempt)).count() > 1 {
                    joins.ambiguous.push(attempt);
                    continue;
                }
                joins.add(model, chain.client, attempt);
            }
            chain.seen.push(attempt);
            further.push(chain);
        }
        further
    }

    /// What can be the next attempt: what the proxy itself told, or what begins when one is due.
    fn options(&self, joins: &Joins, model: &Model, failed: &[usize]) -> Vec<usize> {
        if self.is_over(model) {
            return Vec::new();
        }
        let leg = joins.other_leg(self.client).map(|leg| &model.connections[leg]).filter(|leg| leg.stood());
        let fresh = |index: &&usize| {
            !self.seen.contains(index) && leg.is_none_or(|leg| model.connections[**index].began < leg.began)
        };
        let nobodys = |index: &&usize| {
            joins.is_free(**index) && !joins.ambiguous.contains(*index) && !is_down(model, &model.connections[**index])
        };
        let told = joins.opened_for(self.client).iter().filter(|index| failed.contains(index));
        for late in [LATE, HELD_UP] {
            let due = |index: &&usize| self.is_due(model, **index, late);
            let mut options: Vec<usize> = failed.iter().filter(fresh).filter(due).filter(nobodys).copied().collect();
            if !options.is_empty() {
                options.extend(told.filter(fresh).filter(due));
                return options;
            }
            if let Some(first) = told.clone().filter(fresh).min() {
                return vec![*first];
            }
        }
        Vec::new()
    }
}

/// The first of several attempts: one that was over before the others began at other servers. Of two that were made side by side,
/// or at the same server, one is no attempt of this session, and only the proxy itself can tell which.
fn first_of(joins: &Joins, model: &Model, chain: &Chain, options: &[usize]) -> Option<usize> {
    let began = |index: &usize| model.connections[*index].began;
    let server = |index: &usize| model.connections[*index].endpoints[1].pair.local;
    let first = *options.iter().min_by_key(|index| began(index))?;
    let over = model.connections[first].endpoints[0].ended();
    // After a refusal either the same server is tried again, or another one was at once: not both.
    let last = chain.seen.last().copied().filter(|last| failed_with_an_error(&model.connections[*last]));
    let again = last.is_some_and(|last| options.iter().any(|index| server(index) == server(&last)));
    let goes_before = |index: &usize| {
        *index == first || server(index) != server(&first) && over.is_some_and(|over| over <= began(index))
    };
    if options.iter().all(goes_before) && (!again || options.len() == 1) {
        return Some(first);
    }
    options.iter().copied().find(|index| joins.opened_for(chain.client).contains(index))
}

/// Whether the proxy had said that the server of a connection is down: no session is tried there then.
fn is_down(model: &Model, attempt: &Connection) -> bool {
    let address = attempt.endpoints[0].pair.remote;
    let rules = model.proxy_settings.iter().filter_map(|listener| listener.rules.as_ref());
    let known = rules.flat_map(|rules| &rules.servers).find(|server| server.address == address);
    let Some(known) = known else { return false };
    let mut told =
        model.proxy_notices.iter().filter(|(at, ..)| *at < attempt.began).filter_map(|(_, _, notice)| match notice {
            ProxyNotice::ServerDown { server, .. } if *server == known.name => Some(true),
            ProxyNotice::ServerUp { server, .. } if *server == known.name => Some(false),
            _ => None,
        });
    told.next_back().unwrap_or(false)
}

fn failed_with_an_error(attempt: &Connection) -> bool {
    let opener = &attempt.endpoints[0];
    let errors = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"];
    let refused = opener.errors.iter().any(|(_, errno)| errors.contains(&errno.as_str()));
    refused || opener.delivered.iter().any(|seen| seen.flags.rst())
}

fn turn_around(model: &Model) -> Span {
    let connects = model.proxy_settings.iter().filter_map(|listener| listener.timeouts.connect);
    let shortest = connects.min().and_then(|ms| i64::try_from(ms).ok()).map(Span::millis);
    shortest.map_or(TURN_AROUND, |connect| connect.min(TURN_AROUND))
}
