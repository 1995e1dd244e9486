//! Every directive and setting that is implemented: it is taken, and nothing behind it is ignored.

use std::collections::BTreeSet;

use super::super::supported::Where;
use super::*;

/// Each directive of `global` with what follows it.
const GLOBAL: &[(&str, &str)] = &[
    ("user", "haproxy"),
    ("uid", "1000"),
    ("group", "haproxy"),
    ("gid", "1000"),
    ("chroot", "/var/lib/haproxy"),
    ("pidfile", "/run/haproxy.pid"),
    ("daemon", ""),
    ("zero-warning", ""),
    ("maxconn", "4096"),
    ("ulimit-n", "1000"),
    ("hard-stop-after", "30s"),
    ("node", "lb1"),
    ("log", "127.0.0.1 local3"),
    ("log", "[::1]:5140 len 4096 format rfc5424 local3 info err"),
    ("log-tag", "lb"),
    ("log-send-hostname", "lb1"),
    ("stats socket", "/run/haproxy.sock"),
    ("stats timeout", "30s"),
    ("stats maxconn", "5"),
    ("spread-checks", "5"),
    ("max-spread-checks", "500"),
];

/// Each directive of proxies with what follows it.
const PROXY: &[(&str, &str)] = &[
    ("log", "global"),
    ("log", "/dev/log local0 notice"),
    ("log-tag", "lb"),
    ("option tcplog", ""),
    ("log-format", "'%ci:%cp %{+Q}b'"),
    ("error-log-format", "'%ci:%cp %ts'"),
    ("option dontlognull", ""),
    ("option logasap", ""),
    ("option dontlog-normal", ""),
    ("option log-separate-errors", ""),
    ("option log-health-checks", ""),
    ("mode", "tcp"),
    ("acl", "near src 10.0.0.0/8"),
    ("tcp-request connection", "reject if { src 10.0.0.1 }"),
    ("tcp-request session", "reject if { src 10.0.0.1 }"),
    ("id", "7"),
    ("enabled", ""),
    ("bind", "127.0.0.1:5673"),
    ("maxconn", "100"),
    ("backlog", "100"),
    ("option tcp-smart-accept", ""),
    ("timeout client-fin", "5s"),
    ("timeout server-fin", "5s"),
    ("timeout tunnel", "5s"),
    ("timeout queue", "5s"),
    ("timeout check", "5s"),
    ("option clitcpka", ""),
    ("option srvtcpka", ""),
    ("option tcpka", ""),
    ("clitcpka-idle", "110s"),
    ("clitcpka-intvl", "30s"),
    ("clitcpka-cnt", "3"),
    ("srvtcpka-idle", "110s"),
    ("srvtcpka-intvl", "30s"),
    ("srvtcpka-cnt", "3"),
    ("option nolinger", ""),
    ("option allbackups", ""),
    ("fullconn", "100"),
    ("balance", "leastconn"),
    ("hash-type", "consistent djb2 avalanche"),
    ("retries", "3"),
    ("option redispatch", "-1"),
    ("server", "s2 10.0.0.2:5672"),
    ("default-server", "check"),
    ("source", "10.0.0.9:1024-2048 interface eth0"),
    ("option tcp-check", ""),
];

const BIND: &[(&str, &str)] = &[
    ("name", "in"),
    ("id", "7"),
    ("backlog", "7"),
    ("maxconn", "7"),
    ("tcp-ut", "5s"),
    ("mss", "-100"),
    ("interface", "eth0"),
    ("v4v6", ""),
    ("v6only", ""),
    ("defer-accept", ""),
    ("transparent", ""),
    ("tfo", ""),
    ("accept-proxy", ""),
];

const SERVER: &[(&str, &str)] = &[
    ("weight", "10"),
    ("check", ""),
    ("no-check", ""),
    ("inter", "1s"),
    ("fastinter", "1s"),
    ("downinter", "1s"),
    ("rise", "1"),
    ("fall", "1"),
    ("port", "80"),
    ("addr", "10.0.0.3"),
    ("send-proxy", ""),
    ("send-proxy-v2", ""),
    ("check-send-proxy", ""),
    ("no-check-send-proxy", ""),
    ("backup", ""),
    ("no-backup", ""),
    ("disabled", ""),
    ("enabled", ""),
    ("maxconn", "5"),
    ("minconn", "2"),
    ("maxqueue", "5"),
    ("slowstart", "10s"),
    ("observe", "layer4"),
    ("on-error", "mark-down"),
    ("error-limit", "3"),
    ("on-marked-down", "shutdown-sessions"),
    ("on-marked-up", "shutdown-backup-sessions"),
    ("tcp-ut", "5s"),
    ("source", "10.0.0.9"),
    ("id", "7"),
    ("no-send-proxy", ""),
    ("no-send-proxy-v2", ""),
];

const STATS_SOCKET: &[(&str, &str)] = &[
    ("level", "admin"),
    ("mode", "600"),
    ("user", "haproxy"),
    ("uid", "1"),
    ("group", "haproxy"),
    ("gid", "1"),
    ("expose-fd", "listeners"),
];

/// What these samples leave out: texts to the end of the line, what is warned of in any case, what is about the whole of a
/// proxy, and what [`listen`] has.
const ELSEWHERE: &[&str] = &[
    "default_backend",
    "description",
    "disabled",
    "option httplog",
    "option httpslog",
    "timeout client",
    "timeout connect",
    "timeout server",
    "use_backend",
];

fn in_global(lines: &str) -> Vec<String> {
    global(lines).1
}

fn in_listen(lines: &str) -> Vec<String> {
    listened(lines).1
}

/// A table's name, its entries, the samples, what stands before one, and the section around it.
type Table = (
    &'static str,
    fn(&Supported) -> bool,
    &'static [(&'static str, &'static str)],
    &'static str,
    fn(&str) -> Vec<String>,
);

const TABLES: [Table; 5] = [
    ("global", |one| matches!(one.place, Where::Sections(all) if all == [In::Global]), GLOBAL, "", in_global),
    ("proxy", |one| matches!(one.place, Where::Sections(all) if all != [In::Global]), PROXY, "", in_listen),
    ("bind", |one| one.place == Where::Bind, BIND, "bind :5673 ", in_listen),
    ("server", |one| one.place == Where::Server, SERVER, "server s2 10.0.0.2:5672 ", in_listen),
    ("stats socket", |one| one.place == Where::StatsSocket, STATS_SOCKET, "stats socket /run/x.sock ", in_global),
];

#[test]
fn every_directive_that_is_implemented_has_a_sample_here() {
    for (table, belongs, samples, ..) in TABLES {
        let implemented = supported().filter(|one| belongs(one) && one.status == Status::Implemented);
        let implemented: BTreeSet<&str> = implemented
            .map(|one| one.keyword)
            .filter(|keyword| !(table == "proxy" || table == "global") || !ELSEWHERE.contains(keyword))
            .collect();
        let samples: BTreeSet<&str> = samples.iter().map(|(keyword, _)| *keyword).collect();
        assert_eq!(samples, implemented, "{table}");
    }
}

#[test]
fn nothing_is_said_about_what_is_implemented() {
    for (_, _, samples, before, section) in TABLES {
        for (keyword, arguments) in samples {
            let line = format!(" {before}{keyword} {arguments}");
            assert_eq!(section(&line), [""; 0], "{line}");
        }
    }
}

#[test]
fn a_word_too_many_is_refused_behind_each() {
    for (_, _, samples, before, section) in TABLES {
        for (keyword, arguments) in samples {
            let line = format!(" {before}{keyword} {arguments} superfluous");
            let notes = section(&line);
            assert!(notes.iter().any(|note| note.contains("`superfluous`")), "{line}: {notes:?}");
        }
    }
}

#[test]
fn a_missing_value_is_refused_behind_each() {
    for (_, _, samples, before, section) in TABLES {
        for (keyword, arguments) in samples {
            // Without a value these mean something too.
            let optional = ["balance", "option redispatch", "log-send-hostname", "default-server"].contains(keyword);
            if !arguments.is_empty() && !optional {
                let line = format!(" {before}{keyword}");
                let notes = section(&line);
                assert!(notes.iter().any(|note| note.contains("lacks its value")), "{line}: {notes:?}");
            }
        }
    }
}

#[test]
fn what_is_not_implemented_is_refused_or_warned_about_with_whatever_follows() {
    let of = |place: Where| {
        TABLES.into_iter().find(|(_, belongs, ..)| supported().any(|one| one.place == place && belongs(&one)))
    };
    for one in supported().filter(|one| one.status != Status::Implemented) {
        let (_, _, _, before, section) = of(one.place).unwrap();
        let notes = section(&format!(" {before}{} 1 2 3", one.keyword));
        assert!(notes.iter().any(|note| note.contains(&format!("`{}`", one.keyword))), "{}: {notes:?}", one.keyword);
    }
}
