//! The termination state of a session (configuration manual, section 8.5).

use std::fmt;

/// The termination state: two characters, of which the first says what ended the session first, the second in which phase.
///
/// The first event stays: what happens to the other connection of the session later does not change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Termination {
    /// The first character.
    pub cause: Cause,
    /// The second character.
    pub phase: Phase,
}

/// The first event that caused a session to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// `C`: the client's connection broke: a reset, or its kernel gave up (keepalive, retransmission).
    ClientAbort,
    /// `S`: the server's connection broke, or was refused.
    ServerAbort,
    /// `P`: the proxy refused to go on (a limit, a rule, a security check).
    ProxyDenied,
    /// `L`: handled by HAProxy itself, without a server.
    Local,
    /// `R`: a resource of the proxy was exhausted (memory, sockets, source ports).
    Resource,
    /// `I`: an error within HAProxy.
    Internal,
    /// `D`: killed since the server went down (`on-marked-down shutdown-sessions`).
    ServerDown,
    /// `U`: killed on a backup server since an active one came up (`on-marked-up shutdown-backup-sessions`).
    ServerUp,
    /// `K`: killed by an operator, or by the end of `hard-stop-after`.
    Killed,
    /// `c`: the client-side timeout expired: `timeout client`, `client-fin` or `tunnel`.
    ClientTimeout,
    /// `s`: the server-side timeout expired: `timeout server`, `server-fin`, `tunnel`, `connect` or `queue`.
    ServerTimeout,
    /// `-`: both sides closed in order.
    Normal,
}

/// The phase in which a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// `R`: waiting for the client's request.
    Request,
    /// `Q`: in the queue for a connection slot.
    Queue,
    /// `C`: connecting to the server.
    Connect,
    /// `H`: waiting for the response's headers.
    Headers,
    /// `D`: passing data.
    Data,
    /// `L`: sending the last data to the client after the server had finished.
    Last,
    /// `T`: tarpitted.
    Tarpit,
    /// `-`: after the end of the data.
    Normal,
}

impl Termination {
    /// Reads the two characters of a TCP log; `None` if they are not a termination state.
    #[must_use]
    pub fn parse(text: &str) -> Option<Termination> {
        let mut characters = text.chars();
        let (cause, phase) = (characters.next()?, characters.next()?);
        let termination = Termination { cause: Cause::from_character(cause)?, phase: Phase::from_character(phase)? };
        characters.next().is_none().then_some(termination)
    }

    /// One sentence that says what the two characters mean.
    #[must_use]
    pub fn explain(&self) -> String {
        match (self.cause, self.phase) {
            (Cause::Normal, Phase::Normal) => "both sides closed in order".to_owned(),
            (Cause::ServerTimeout, Phase::Connect) => "timeout connect expired before a server answered".to_owned(),
            (Cause::ServerAbort, Phase::Connect) => {
                "the server refused the connection, or could not be reached".to_owned()
            }
            (Cause::ServerTimeout, Phase::Queue) => {
                "timeout queue expired while waiting for a connection slot".to_owned()
            }
            (cause, Phase::Normal) => cause.meaning().to_owned(),
            (cause, phase) => format!("{}, {}", cause.meaning(), phase.meaning()),
        }
    }
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.cause.character(), self.phase.character())
    }
}

impl Cause {
    const ALL: [Cause; 12] = [
        Cause::ClientAbort,
        Cause::ServerAbort,
        Cause::ProxyDenied,
        Cause::Local,
        Cause::Resource,
        Cause::Internal,
        Cause::ServerDown,
        Cause::ServerUp,
        Cause::Killed,
        Cause::ClientTimeout,
        Cause::ServerTimeout,
        Cause::Normal,
    ];

    /// The character in the log.
    #[must_use]
    pub fn character(self) -> char {
        self.entry().0
    }

    /// What it says, in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.entry().1
    }

    fn from_character(character: char) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.character() == character)
    }

    fn entry(self) -> (char, &'static str) {
        match self {
            Cause::ClientAbort => ('C', "the client's connection broke"),
            Cause::ServerAbort => ('S', "the server's connection broke"),
            Cause::ProxyDenied => ('P', "the proxy refused to go on"),
            Cause::Local => ('L', "the proxy answered itself"),
            Cause::Resource => ('R', "a resource of the proxy was exhausted"),
            Cause::Internal => ('I', "the proxy met an error of its own"),
            Cause::ServerDown => ('D', "the proxy ended it since the server went down"),
            Cause::ServerUp => ('U', "the proxy ended it on a backup server since an active one came up"),
            Cause::Killed => ('K', "the proxy's operator ended it"),
            Cause::ClientTimeout => ('c', "the client-side timeout expired"),
            Cause::ServerTimeout => ('s', "the server-side timeout expired"),
            Cause::Normal => ('-', "both sides closed in order"),
        }
    }
}

impl Phase {
    const ALL: [Phase; 8] = [
        Phase::Request,
        Phase::Queue,
        Phase::Connect,
        Phase::Headers,
        Phase::Data,
        Phase::Last,
        Phase::Tarpit,
        Phase::Normal,
    ];

    /// The character in the log.
    #[must_use]
    pub fn character(self) -> char {
        self.entry().0
    }

    /// What it says, in words.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.entry().1
    }

    fn from_character(character: char) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.character() == character)
    }

    fn entry(self) -> (char, &'static str) {
        match self {
            Phase::Request => ('R', "waiting for the client's request"),
            Phase::Queue => ('Q', "waiting in the queue"),
            Phase::Connect => ('C', "connecting to the server"),
            Phase::Headers => ('H', "waiting for the response's headers"),
            Phase::Data => ('D', "passing data"),
            Phase::Last => ('L', "sending the last data to the client"),
            Phase::Tarpit => ('T', "holding the request in the tarpit"),
            Phase::Normal => ('-', "after the end of the data"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_characters_reads_back_as_itself() {
        for cause in Cause::ALL {
            for phase in Phase::ALL {
                let termination = Termination { cause, phase };
                assert_eq!(Termination::parse(&termination.to_string()), Some(termination));
            }
        }
    }

    #[test]
    fn a_state_of_one_or_three_characters_is_refused() {
        assert_eq!(Termination::parse("c"), None);
        assert_eq!(Termination::parse("cDx"), None);
        assert_eq!(Termination::parse("xD"), None);
    }

    #[test]
    fn a_state_explains_itself() {
        let explain = |text| Termination::parse(text).unwrap().explain();
        assert_eq!(explain("cD"), "the client-side timeout expired, passing data");
        assert_eq!(explain("sC"), "timeout connect expired before a server answered");
        assert_eq!(explain("K-"), "the proxy's operator ended it");
        assert_eq!(explain("--"), "both sides closed in order");
    }
}
