//! The catalogue: what can end a TCP connection. A further mechanism is one file here and one line in the list below.

mod keep_alive;
mod patterns;
mod proxy_decision;
mod proxy_timer;

use super::decide::Judgement;
use super::scene::Scene;

/// Where a mechanism can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// It ends a connection, and is how its endpoint ended.
    Cause,
    /// Only how an endpoint ended: the cause is at the other end.
    Endpoint,
    /// Only the cause of a connection that one endpoint lost to a RST of no endpoint.
    Stranger,
    /// Only what became of an endpoint's socket after its process had closed it.
    Orphan,
}

/// One mechanism.
#[derive(Debug)]
pub struct Entry {
    /// Its stable name.
    pub name: &'static str,
    /// Where it can be named.
    pub scope: Scope,
    /// Who does it.
    pub who: &'static str,
    /// What fires it.
    pub fires: &'static str,
    /// From which moment it is counted.
    pub counted_from: &'static str,
    /// The settings that control it.
    pub settings: &'static str,
    /// What the wire shows.
    pub wire: &'static str,
    /// What the applications see.
    pub application: &'static str,
    /// Where this behaviour is written down.
    pub source: &'static str,
    /// A scenario of the library that shows it: one that expects it in a case at least, which the tests hold against the library.
    pub shown: &'static str,
    /// A scenario of the library with the same fault or the same sight, and another cause: no case of it names this mechanism.
    pub near: &'static str,
    /// The rule.
    pub judge: fn(&Scene<'_>) -> Judgement,
}

macro_rules! catalogue {
    ($($file:ident => $variant:ident,)*) => {
        $(mod $file;)*

        /// A mechanism of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each has its own entry")]
        pub enum Mechanism { $($variant,)* }

        impl Mechanism {
            /// All of them, in the catalogue's order.
            pub const ALL: &'static [Mechanism] = &[$(Mechanism::$variant,)*];

            /// Its entry.
            #[must_use]
            pub const fn entry(self) -> &'static Entry {
                match self { $(Mechanism::$variant => &$file::ENTRY,)* }
            }
        }
    };
}

catalogue! {
    app_close => AppClose,
    app_abort => AppAbort,
    protocol_close => ProtocolClose,
    heartbeat => Heartbeat,
    handshake_timeout => HandshakeTimeout,
    process_exit => ProcessExit,
    proxy_timeout_client => ProxyTimeoutClient,
    proxy_timeout_server => ProxyTimeoutServer,
    proxy_timeout_tunnel => ProxyTimeoutTunnel,
    proxy_timeout_client_fin => ProxyTimeoutClientFin,
    proxy_timeout_server_fin => ProxyTimeoutServerFin,
    proxy_timeout_connect => ProxyTimeoutConnect,
    proxy_timeout_queue => ProxyTimeoutQueue,
    proxy_no_server => ProxyNoServer,
    proxy_server_down => ProxyServerDown,
    proxy_limit => ProxyLimit,
    proxy_admin => ProxyAdmin,
    proxy_stop => ProxyStop,
    proxy_relayed => ProxyRelayed,
    tcp_keepalive => TcpKeepalive,
    tcp_user_timeout => TcpUserTimeout,
    tcp_retransmission => TcpRetransmission,
    tcp_zero_window => TcpZeroWindow,
    tcp_connect_timeout => TcpConnectTimeout,
    tcp_synack_timeout => TcpSynackTimeout,
    tcp_orphan_retries => TcpOrphanRetries,
    tcp_fin_timeout => TcpFinTimeout,
    tcp_connect_refused => TcpConnectRefused,
    unreachable => Unreachable,
    tcp_destroyed => TcpDestroyed,
    reset_no_socket => ResetNoSocket,
    reset_middlebox => ResetMiddlebox,
    peer_fin => PeerFin,
    peer_reset => PeerReset,
    host_down => HostDown,
    half_open => HalfOpen,
    open => Open,
}

impl Mechanism {
    /// The mechanism of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Mechanism> {
        Mechanism::ALL.iter().copied().find(|mechanism| mechanism.entry().name == name)
    }

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().name
    }
}

/// The names of all mechanisms.
pub const NAMES: [&str; Mechanism::ALL.len()] = {
    let mut names = [""; Mechanism::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Mechanism::ALL[index].name();
        index += 1;
    }
    names
};
