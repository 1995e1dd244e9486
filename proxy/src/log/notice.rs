//! What HAProxy logs of itself and of its servers, besides sessions (src/server.c `srv_update_status()`, src/proxy.c `stop_proxy()`,
//! `hard_stop()`, `set_backend_down()`).

/// A line that tells of no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A server does not count any more: its checks failed, or an operator took it away.
    ServerDown {
        /// Its backend.
        backend: String,
        /// Its name.
        server: String,
    },
    /// A server counts again.
    ServerUp {
        /// Its backend.
        backend: String,
        /// Its name.
        server: String,
    },
    /// A backend's last server went down.
    NoServer {
        /// The backend.
        backend: String,
    },
    /// A proxy listens no more; its sessions go on.
    Stopped {
        /// The proxy.
        proxy: String,
    },
    /// `hard-stop-after` has passed since the soft stop: all sessions are ended.
    HardStop,
}

impl Notice {
    /// Reads a line with its syslog prefix (`<129>Nov 23 06:37:07 haproxy[13071]: `); `None` if it tells of something else.
    #[must_use]
    pub fn parse(line: &str) -> Option<Notice> {
        let (_, text) = line.split_once("]: ")?;
        let text = text.trim_end();
        if text.starts_with("soft-stop running for too long") {
            return Some(Notice::HardStop);
        }
        if let Some(server) = text.strip_prefix("Server ").or_else(|| text.strip_prefix("Backup Server ")) {
            return server_changed(server);
        }
        if let Some(rest) = text.strip_prefix("Proxy ") {
            let (proxy, rest) = rest.split_once(' ')?;
            return rest.starts_with("stopped").then(|| Notice::Stopped { proxy: proxy.to_owned() });
        }
        let backend = text.strip_prefix("proxy ").or_else(|| text.strip_prefix("backend "))?;
        let backend = backend.strip_suffix(" has no server available!")?;
        Some(Notice::NoServer { backend: backend.to_owned() })
    }
}

/// `lb/s1 is DOWN, reason: …`
fn server_changed(text: &str) -> Option<Notice> {
    let (name, is) = text.split_once(" is ")?;
    let (backend, server) = name.split_once('/')?;
    let (backend, server) = (backend.to_owned(), server.to_owned());
    if is.starts_with("DOWN") || is.starts_with("going DOWN") {
        Some(Notice::ServerDown { backend, server })
    } else if is.starts_with("UP") {
        Some(Notice::ServerUp { backend, server })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines() -> Vec<&'static str> {
        include_str!("../../tests/fixtures/notices.log").lines().collect()
    }

    #[test]
    fn every_notice_that_haproxy_wrote_is_understood() {
        let unknown: Vec<_> = lines().into_iter().filter(|line| Notice::parse(line).is_none()).collect();
        assert_eq!(unknown, Vec::<&str>::new());
    }

    #[test]
    fn a_server_that_its_checks_failed_is_down() {
        let line = lines().into_iter().find(|line| line.contains("Connection refused")).unwrap();
        let down = Notice::ServerDown { backend: "broker".into(), server: "s1".into() };
        assert_eq!(Notice::parse(line), Some(down));
    }

    #[test]
    fn a_session_is_no_notice() {
        let line = "<134>Nov 23 06:35:48 haproxy[5873]: 10.9.0.1:20170 [23/Nov/2026:06:35:44.625] lb lb/s1 1/0/3504 10 cD 1/1/0/0/0 0/0";
        assert_eq!(Notice::parse(line), None);
    }

    #[test]
    fn what_haproxy_says_on_its_standard_error_is_not_read_twice() {
        assert_eq!(Notice::parse("[WARNING]  (3) : Server broker/s1 is DOWN, reason: Layer4 timeout"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(line in "\\PC*") {
            let _ = Notice::parse(&line);
            let _ = Notice::parse(&format!("haproxy[1]: Server {line}"));
        }
    }
}
