//! Which case a trace event belongs to.
//!
//! An event carries addresses and ports but no namespace: cases that run at the same time have different slices of the ephemeral
//! ports, and that is how an event finds its case.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::Pair;
use super::store::Ledger;

/// One case's share of what the kernel says.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where its facts go.
    pub ledger: Ledger,
    /// Its nodes by address.
    pub nodes: HashMap<Ipv4Addr, Arc<str>>,
}

/// Which case an event belongs to: by the slice of ephemeral ports, and by process.
#[derive(Debug, Default)]
pub struct Routes {
    inner: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    marks: Vec<Arc<Notify>>,
    slices: HashMap<u16, Route>,
    threads: HashMap<i32, (u16, Owner)>,
}

/// Whose thread it is.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The service or client.
    pub process: Arc<str>,
    /// Its node.
    pub node: Arc<str>,
}

impl Routes {
    /// A case takes a slice: events with a port in it, between two of its nodes, are its own.
    pub fn add(&self, slice: u16, route: Route) {
        self.table().slices.insert(slice, route);
    }

    /// The case is over.
    pub fn remove(&self, slice: u16) {
        let mut table = self.table();
        table.slices.remove(&slice);
        table.threads.retain(|_, (owner, _)| *owner != slice);
    }

    /// A thread of a case's process, by its id in the initial PID namespace.
    pub fn own(&self, slice: u16, tid: i32, owner: Owner) {
        self.table().threads.insert(tid, (slice, owner));
    }

    /// A mark will be written: who waits for it, and its number.
    pub(super) fn expect(&self, reached: &Arc<Notify>) -> usize {
        let marks = &mut self.table().marks;
        marks.push(reached.clone());
        marks.len() - 1
    }

    pub(super) fn reached(&self, number: usize) {
        if let Some(mark) = self.table().marks.get(number) {
            mark.notify_one();
        }
    }

    pub(super) fn all(&self) -> Vec<Ledger> {
        self.table().slices.values().map(|route| route.ledger.clone()).collect()
    }

    pub(super) fn of_pair(&self, pair: Pair) -> Option<(Ledger, String)> {
        let table = self.table();
        let ports = [pair.local.port(), pair.remote.port()];
        let route = ports
            .iter()
            .filter_map(|port| table.slices.get(&crate::lab::slices::of_port(*port)?))
            .find(|route| route.nodes.contains_key(pair.local.ip()) && route.nodes.contains_key(pair.remote.ip()))?;
        Some((route.ledger.clone(), route.nodes.get(pair.local.ip())?.to_string()))
    }

    /// A thread that has just touched a socket of a case is a thread of that case: a process may be too short-lived to be found.
    pub(super) fn acted(&self, pair: Pair, tid: i32, owner: Owner) {
        let mut table = self.table();
        let ports = [pair.local.port(), pair.remote.port()];
        let mut slices = ports.iter().filter_map(|port| crate::lab::slices::of_port(*port));
        if let Some(slice) = slices.find(|slice| table.slices.contains_key(slice)) {
            table.threads.entry(tid).or_insert((slice, owner));
        }
    }

    /// A thread has ended: its number may be given to another.
    pub(super) fn ended(&self, tid: i32) {
        self.table().threads.remove(&tid);
    }

    pub(super) fn of_thread(&self, tid: i32) -> Option<(Ledger, Owner)> {
        let table = self.table();
        let (slice, owner) = table.threads.get(&tid)?;
        Some((table.slices.get(slice)?.ledger.clone(), owner.clone()))
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
