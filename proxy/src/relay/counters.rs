//! What is counted of frontends, backends and servers since the start, for operators.

/// The counters of one of them; those that are not about it stay 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The most sessions at once.
    pub most: u32,
    /// The most that waited in its queue at once.
    pub most_queued: usize,
    /// Sessions; of a server: connections to it that were begun.
    pub total: u64,
    /// Bytes from clients, of sessions that have ended.
    pub bytes_in: u64,
    /// Bytes from servers, of sessions that have ended.
    pub bytes_out: u64,
    /// Sessions that got no connection to a server.
    pub failed: u64,
    /// Connections that were tried again at the same server.
    pub retries: u64,
    /// Sessions that went on to another server.
    pub redispatches: u64,
    /// How often the algorithm chose it.
    pub chosen: u64,
    /// Checks that failed.
    pub failed_checks: u64,
    /// How often it went down.
    pub downs: u64,
    /// How often sessions told that it is not well (`observe`).
    pub failed_by_sessions: u64,
}

impl Counters {
    /// So many sessions are there now.
    pub fn there_are(&mut self, sessions: u32) {
        self.most = self.most.max(sessions);
    }

    /// A session has ended that passed so many bytes on.
    pub fn passed(&mut self, bytes_in: u64, bytes_out: u64) {
        self.bytes_in += bytes_in;
        self.bytes_out += bytes_out;
    }

    /// A connection is tried again at the same server.
    pub fn tried_again(&mut self) {
        self.retries += 1;
    }

    /// A session goes on to another server.
    pub fn went_elsewhere(&mut self) {
        self.redispatches += 1;
    }
}
