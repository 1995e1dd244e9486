//! The watch: reads settings and sessions of what runs, whenever a connection is made and before each step.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::process::{self, Process};
use crate::evidence::routes::Routes;
use crate::evidence::sockets::{Inspector, Watched};
use crate::evidence::store::{Ledger, Standing};
use crate::evidence::{Fact, Pair, Role, TcpState};
use crate::services::Kind;

/// A program sets its socket options at once after connect(2) or accept(2); this is how long the watch lets it.
const SETTLING: Duration = Duration::from_millis(5);
/// When a proxy is asked again that did not tell of a leg yet: it may not have got as far, or not have answered in time.
const AGAIN: [Duration; 3] = [Duration::from_millis(20), Duration::from_millis(60), Duration::from_millis(180)];

/// Everything that runs in one lab, and what was read of it.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    on_connections: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    routes: Arc<Routes>,
    slice: u16,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    programs: Vec<Program>,
    inspector: Inspector,
    sessions: Vec<Fact>,
}

#[derive(Debug)]
struct Program {
    process: Arc<Process>,
    node: Arc<str>,
    kind: Option<Arc<dyn Kind>>,
}

impl Watch {
    /// A watch over a lab in which nothing runs yet.
    #[must_use]
    pub fn new(ledger: Ledger, routes: Arc<Routes>, slice: u16) -> Watch {
        let shared = Arc::new(Shared { ledger, routes, slice, seen: Mutex::default() });
        let on_connections = tokio::spawn(look_at_new_connections(shared.clone()));
        Watch { shared, on_connections }
    }

    /// A program was started.
    pub fn add(&self, process: Arc<Process>, node: &str, kind: Option<Arc<dyn Kind>>) {
        let mut seen = self.shared.seen();
        seen.programs.retain(|program| program.process.name != process.name);
        seen.programs.push(Program { process, node: node.into(), kind });
    }

    /// Reads everything now.
    pub fn look(&self) {
        self.shared.look();
    }

    /// Reads nothing any more.
    pub fn stop(&self) {
        self.on_connections.abort();
        self.shared.seen().programs.clear();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.on_connections.abort();
    }
}

impl Shared {
    fn look(&self) {
        let mut seen = self.seen();
        let seen = &mut *seen;
        let everybody = process::everybody();
        let watched: Vec<Watched> = seen
            .programs
            .iter()
            .map(|program| Watched {
                process: program.process.name.clone(),
                node: program.node.clone(),
                pids: program.process.among(&everybody),
            })
            .collect();
        seen.inspector.look(&watched, &self.ledger, &self.routes, self.slice);
        for program in &seen.programs {
            let Some(kind) = &program.kind else { continue };
            for session in kind.sessions(&program.process.name, &program.process) {
                if !seen.sessions.contains(&session) {
                    self.ledger.put_now(session.clone());
                    seen.sessions.push(session);
                }
            }
        }
    }

    /// Whether a leg stands at a proxy that it has not told of.
    fn lacks_a_session(&self) -> bool {
        let seen = self.seen();
        let is_proxy = |program: &&Program| program.kind.as_ref().is_some_and(|kind| kind.role() == Role::Proxy);
        let proxies: HashSet<&str> = seen.programs.iter().filter(is_proxy).map(|program| &*program.node).collect();
        let legs = seen.sessions.iter().filter_map(|session| match session {
            Fact::ProxySession { client, server, .. } => Some([*client, *server]),
            _ => None,
        });
        let told: HashSet<Pair> = legs.flatten().collect();
        let untold = |socket: &Standing| {
            socket.state == TcpState::Established
                && proxies.contains(socket.node.as_str())
                && !told.contains(&socket.pair)
        };
        self.ledger.states().iter().any(untold)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A state of the socket tables in the words of evidence; a listening socket is no connection.
#[must_use]
pub fn state(of_table: netns::sockets::TcpState) -> Option<TcpState> {
    use netns::sockets::TcpState as Table;
    Some(match of_table {
        Table::Established => TcpState::Established,
        Table::SynSent => TcpState::SynSent,
        Table::SynRecv => TcpState::SynRecv,
        Table::FinWait1 => TcpState::FinWait1,
        Table::FinWait2 => TcpState::FinWait2,
        Table::TimeWait => TcpState::TimeWait,
        Table::CloseWait => TcpState::CloseWait,
        Table::LastAck => TcpState::LastAck,
        Table::Closing => TcpState::Closing,
        _ => return None,
    })
}

async fn look_at_new_connections(shared: Arc<Shared>) {
    let (mut known, mut looked_at) = (0, HashSet::new());
    loop {
        // An attempt that is not answered counts too: it is one of a session's, or a health check, and only its proxy can tell, while
        // it lasts.
        shared.ledger.until(|ledger| ledger.sockets() > known).await;
        tokio::time::sleep(SETTLING).await;
        known = shared.ledger.sockets();
        // A health check has come and gone by now: nobody can look at it any more, and there are hundreds of them.
        let standing = shared.ledger.states().into_iter().filter(|socket| socket.state != TcpState::Close);
        let standing: HashSet<_> = standing.map(|socket| socket.number).collect();
        let is_new = standing.iter().any(|socket| !looked_at.contains(socket));
        looked_at = standing;
        if !is_new {
            continue;
        }
        look(&shared).await;
        for pause in AGAIN {
            if !shared.lacks_a_session() {
                break;
            }
            tokio::time::sleep(pause).await;
            look(&shared).await;
        }
    }
}

async fn look(shared: &Arc<Shared>) {
    let looking = shared.clone();
    let _ = tokio::task::spawn_blocking(move || looking.look()).await;
}
