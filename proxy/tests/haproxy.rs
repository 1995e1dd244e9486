//! The real HAProxy and this reader look at the same configurations.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Output};

use proxy::config::{Configuration, In, Status, Supported, Where, check, supported};

/// Whether the two take a configuration or refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Both {
    Take,
    Refuse,
    /// HAProxy takes it and this refuses it, for this reason.
    OnlyHaproxy(&'static str),
    /// This takes it and HAProxy refuses it, for this reason.
    OnlyThis(&'static str),
}

use Both::{OnlyHaproxy, OnlyThis, Refuse, Take};

fn haproxy(text: &str) -> Output {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let run = Command::new("haproxy").arg("-c").arg("-f").arg(file.path()).output();
    run.expect("haproxy runs; `make test` installs it")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A `listen` section that both take without a word, and these lines in it.
fn listen(lines: &str) -> String {
    format!(
        "listen lb\n bind 127.0.0.1:5672\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n server s1 10.0.0.1:5672\n{lines}\n"
    )
}

fn global(lines: &str) -> String {
    format!("global\n{lines}\n{}", listen(""))
}

fn compare(cases: &[(String, Both)]) {
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let output = haproxy(text);
        let haproxy = output.status.success();
        let configuration = Configuration::read(&[("haproxy.cfg", text)], &HashMap::new());
        let this = !check(&configuration).refused();
        let found = match (haproxy, this) {
            (true, true) => matches!(expected, Take),
            (false, false) => matches!(expected, Refuse),
            (true, false) => matches!(expected, OnlyHaproxy(_)),
            (false, true) => matches!(expected, OnlyThis(_)),
        };
        if !found {
            let notes: Vec<String> = configuration.notes.iter().map(|note| format!("{:?} {note}", note.kind)).collect();
            wrong.push(format!(
                "--- {expected:?}, but haproxy: {haproxy}, this: {this}\n{text}\n{}\n{notes:#?}",
                said(&output)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn they_agree_about_lines_of_a_proxy() {
    let cases: &[(&str, Both)] = &[
        ("", Take),
        (" mode tcp", Take),
        (" mode http", OnlyHaproxy("there is no HTTP here")),
        (" mode health", Refuse),
        (" mode udp", Refuse),
        (" nonsense", Refuse),
        (" timeout clinet 5s", Refuse),
        (" timeout", Refuse),
        (" timeout queue", Refuse),
        (" timeout queue 5", Take),
        (" timeout queue 5us", Take),
        (" timeout queue 25d", Refuse),
        (" timeout queue 5s 6s", Refuse),
        (" timeout queue five", Refuse),
        (" timeout queue 5min", OnlyHaproxy("it reads `5m` and warns that it will refuse this")),
        (" timeout client 2s", Take),
        (" clitimeout 5s", Refuse),
        (" contimeout 5s", Refuse),
        (" srvtimeout 5s", Refuse),
        (" redispatch", Refuse),
        (" grace 5s", Refuse),
        (" option clitcpka", Take),
        (" no option clitcpka", Take),
        (
            " default option clitcpka",
            OnlyThis("section 4.1 of the manual has it, and 2.6 takes its last word for an argument"),
        ),
        (" option clitcpka on", Refuse),
        (" option tcpka", Take),
        (" no option tcpka", Refuse),
        (" option nothing", Refuse),
        (" option", Refuse),
        (" no timeout client", Refuse),
        (" clitcpka-cnt 3\n clitcpka-idle 110s\n clitcpka-intvl 30", Take),
        (" clitcpka-cnt three", Refuse),
        (" option redispatch", Take),
        (" option redispatch -1", Take),
        (" option redispatch 1", Take),
        (" no option redispatch", Take),
        (" retries 5", Take),
        (" retries", Refuse),
        (" retries five", OnlyHaproxy("it reads no number as 0")),
        (" maxconn 10", Take),
        (" maxconn many", OnlyHaproxy("it reads no number as 0")),
        (" balance leastconn", Take),
        (" balance random(3)", Take),
        (" balance random(0)", Refuse),
        (" balance random", Take),
        (" balance", Take),
        (" balance lestconn", Refuse),
        (" balance source\n hash-type consistent djb2 avalanche", Take),
        (" hash-type map-based md5", Refuse),
        (" balance uri", OnlyHaproxy("there is no HTTP here")),
        (" log global", Take),
        (" log global extra", Refuse),
        (" log 127.0.0.1 local0", Take),
        (" log 127.0.0.1:5140 len 4096 format rfc5424 local0 info err", Take),
        (" log 127.0.0.1", Refuse),
        (" log 127.0.0.1 local8", Refuse),
        (" log 127.0.0.1 local0 loud", Refuse),
        (" log 127.0.0.1 len 10 local0", Refuse),
        (" log 127.0.0.1 format xml local0", Refuse),
        (" log stdout format raw daemon\n option tcplog", Take),
        (" log /dev/log local0 notice", Take),
        (" log fd@x local0", Refuse),
        (" log tcp@127.0.0.1:514 local0", OnlyHaproxy("lines are sent as datagrams")),
        (" no log", Take),
        (" no log global", Refuse),
        (" option tcplog", Take),
        (" option dontlognull\n option dontlog-normal\n option log-separate-errors\n option log-health-checks", Take),
        (" option logasap", Take),
        (" log stdout local0\n option httplog clf", Take),
        (" option forwardfor", Take),
        (" option http-server-close", Take),
        (" http-request deny", Take),
        (" http-request set-nothing", OnlyThis("what is for HTTP mode is not read")),
        (" option tcp-check", Take),
        (" option httpchk", OnlyHaproxy("a check is a connection")),
        (" stick-table type ip size 1k", OnlyHaproxy("there are no tables")),
        (" id 5", Take),
        (" id 0", Refuse),
        (" description a proxy", Take),
        (" disabled\n enabled", Take),
        (" disabled yes", Refuse),
        (" bind-process all", Take),
        (" fullconn 5\n option allbackups\n balance static-rr", Take),
        (" source 10.0.0.9", Take),
        (" option nolinger\n option tcp-smart-accept\n no option tcp-smart-connect", Take),
        (" backlog 100", Take),
        (" maxconn 10 20", Refuse),
        (" \"timeout\" 'client' 5s", Take),
        (" log-tag \"a b", Refuse),
    ];
    compare(&cases.iter().map(|(lines, expected)| (listen(lines), *expected)).collect::<Vec<_>>());
}

#[test]
fn they_agree_about_bind_and_server_lines() {
    let cases: &[(&str, Both)] = &[
        (" bind :5673", Take),
        (" bind *:5673-5680", Take),
        (" bind 127.0.0.1:5673,127.0.0.2:5673", Take),
        (" bind :::5673", Take),
        (" bind 127.0.0.1", Refuse),
        (" bind 127.0.0.1:0", Refuse),
        (" bind 127.0.0.1:5680-5673", Refuse),
        (" bind 127.0.0.1:70000", Refuse),
        (" bind", Refuse),
        (" bind :5673 name in id 7", Take),
        (" bind :5673 nmae in", Refuse),
        (" bind :5673 name", Refuse),
        (" bind :5673 ssl", Refuse),
        (" bind :5673 tcp-ut 5s mss 1000 backlog 7 maxconn 5 interface lo defer-accept transparent tfo", Take),
        (" bind :::5673 v4v6\n bind :::5674 v6only", Take),
        (" bind :5673 mss 0", Refuse),
        (" bind :5673 mss -100", Take),
        (" bind :5673 mss 70000", Refuse),
        (" bind :5673 tcp-ut soon", Refuse),
        (" bind :5673 accept-proxy", Take),
        (" bind /run/lb.sock", OnlyHaproxy("clients come by TCP")),
        (" server s2 10.0.0.2:5672 check inter 5s rise 2 fall 3", Take),
        (" server s2 10.0.0.2:5672 check inter 0", Refuse),
        (" server s2 10.0.0.2:5672 rise 0", Refuse),
        (" server s2 10.0.0.2:5672 weight 257", Refuse),
        (" server s2 10.0.0.2:5672 weight 0", Take),
        (" server s2 10.0.0.2:5672 backup disabled maxconn 5", Take),
        (" server s2 10.0.0.2:5672 on-marked-down shutdown-sessions", Take),
        (" server s2 10.0.0.2:5672 on-marked-down nothing", Refuse),
        (" server s2 10.0.0.2:5672 chekc", Refuse),
        (" server s2 10.0.0.2:5672 check port 80 addr 10.0.0.3", Take),
        (" server s2 10.0.0.2:x", Refuse),
        (" server s2", Refuse),
        (" server s2 10.0.0.2:5672 tcp-ut 5s source 10.0.0.9:1024-2048 interface lo", Take),
        (" server s2 10.0.0.2:5672 tfo", Take),
        (" server s2 10.0.0.2:5672 source", Refuse),
        (" server s2 10.0.0.2:5672 minconn 1 maxconn 5 maxqueue 3 slowstart 10s", Take),
        (" server s2 10.0.0.2:5672 check observe layer4 on-error sudden-death error-limit 3", Take),
        (" server s2 10.0.0.2:5672 observe layer5", Refuse),
        (" server s2 10.0.0.2:5672 on-error panic", Refuse),
        (" server s2 10.0.0.2:5672 error-limit 0", Refuse),
        (" server s2 10.0.0.2:5672 slowstart soon", Refuse),
        (" server s2 10.0.0.2:5672 source 10.0.0.9 usesrc client", OnlyHaproxy("connections come from this host")),
        (
            " default-server check\n server s2 10.0.0.2:5672\n server s3 10.0.0.3:5672 no-check track s2",
            OnlyHaproxy("each server is checked for itself"),
        ),
        (" server s2 10.0.0.2", OnlyHaproxy("the client's port is not taken over")),
        (" server s2 10.0.0.2:+1", OnlyHaproxy("the client's port is not taken over")),
        (" server s/2 10.0.0.2:5672", Refuse),
        (" server s1 10.0.0.2:5672", Refuse),
        (" server s1 10.0.0.2:5672 id 7", Take),
        (" server s2 10.0.0.2:5672 cookie a", Take),
        (" server s2 10.0.0.2:5672 redir http://a", Refuse),
        (" server s2 10.0.0.2:5672 send-proxy", Take),
        (" server s2 10.0.0.2:5672 send-proxy-v2 check check-send-proxy", Take),
        (" server s2 10.0.0.2:5672 ssl verify none", OnlyHaproxy("there is no TLS here")),
        (" server-template t 3 10.0.0.2:5672", OnlyHaproxy("each server has a line")),
        (" default-server check inter 1s\n server s2 10.0.0.2:5672", Take),
        (" default-server inter", Refuse),
    ];
    compare(&cases.iter().map(|(lines, expected)| (listen(lines), *expected)).collect::<Vec<_>>());
}

#[test]
fn they_agree_about_lines_of_global() {
    let cases: &[(&str, Both)] = &[
        ("", Take),
        (" log 127.0.0.1 local3\n maxconn 4096\n daemon", Take),
        (" log global", Refuse),
        (" debug", OnlyThis("configurations for 1.5 have it")),
        (" nonsense", Refuse),
        (" user haproxy\n group haproxy", Take),
        (" user haproxy extra", Refuse),
        (" uid 1000\n gid 1000", Take),
        (" maxconn 10\n maxconn 20", Take),
        (" maxconn 10 20", Refuse),
        (" chroot /var/lib\n pidfile /run/x.pid", Take),
        (" stats socket /run/x.sock mode 600 level admin", Take),
        (" stats socket /run/x.sock level god", Refuse),
        (" stats socket", Refuse),
        (" stats timeout 30s\n stats maxconn 5", Take),
        (" stats timeout 0", Refuse),
        (" stats nothing", Refuse),
        (" nbthread 2", Take),
        (" nbproc 2", Refuse),
        (" hard-stop-after 30s", Take),
        (" hard-stop-after", Refuse),
        (" description a balancer\n node lb1", Take),
        (" ulimit-n 1000", Take),
        (" spread-checks 5\n max-spread-checks 500", Take),
        (" max-spread-checks soon", Refuse),
        (" spread-checks 51", Refuse),
        (" tune.bufsize 32768", OnlyHaproxy("the proxy's buffers have a fixed size")),
        (" tune.maxaccept 10", Take),
        (" tune.http.maxhdr 100", Take),
        (" tune.nothing 1", Refuse),
        (" ssl-default-bind-options ssl-min-ver TLSv1.2", Take),
        (" log-send-hostname lb\n log-tag proxy", Take),
        (" quiet", Take),
        (" no daemon", Refuse),
        (" setenv NAME value", OnlyHaproxy("variables are those of the environment")),
        (" timeout client 5s", Refuse),
        (" zero-warning", Take),
        (
            " zero-warning\n maxconn 1\n maxconn 2",
            OnlyHaproxy("to it this is no warning, but an alert that is not fatal"),
        ),
    ];
    compare(&cases.iter().map(|(lines, expected)| (global(lines), *expected)).collect::<Vec<_>>());
}

#[test]
fn they_agree_about_sections() {
    let timeouts = " timeout connect 1s\n timeout client 1s\n timeout server 1s\n";
    let backend = "backend b\n server s1 10.0.0.1:5672\n";
    let cases: &[(String, Both)] = &[
        (include_str!("../../scenarios/seed/haproxy.cfg").to_owned(), Take),
        (include_str!("../../scenarios/seed/haproxy-short.cfg").to_owned(), Take),
        (include_str!("../../scenarios/seed/haproxy-1.5.cfg").to_owned(), OnlyThis("two lines are those of 1.5")),
        ("listen\n bind :5672\n".to_owned(), Refuse),
        ("listen l/b\n bind :5672\n".to_owned(), Refuse),
        ("listen lb extra\n bind :5672\n".to_owned(), Refuse),
        (format!("listen lb 127.0.0.1:5672\n{timeouts}"), OnlyThis("this is how 1.5 had it")),
        (format!("defaults\n{timeouts}listen lb\n bind :5672\n server s1 10.0.0.1:5672\n"), Take),
        (format!("defaults base\n{timeouts}listen lb from base\n bind :5672\n server s1 10.0.0.1:5672\n"), Take),
        ("listen lb from nowhere\n bind :5672\n".to_owned(), Refuse),
        ("defaults\n bind :5672\nlisten lb\n bind :5673\n".to_owned(), Refuse),
        ("defaults\n server s1 10.0.0.1:1\nlisten lb\n bind :5673\n".to_owned(), Refuse),
        ("defaults\n description text\nlisten lb\n bind :5673\n".to_owned(), Refuse),
        (
            format!("defaults\n mode http\n{timeouts}listen lb\n mode tcp\n bind :5672\n server s1 10.0.0.1:5672\n"),
            Take,
        ),
        (format!("defaults\n{timeouts}frontend f\n bind :5672\n default_backend b\n{backend}"), Take),
        (format!("defaults\n{timeouts}frontend f\n bind :5672\n use_backend b\n{backend}"), Take),
        (format!("defaults\n{timeouts}frontend f\n bind :5672\n default_backend c\n{backend}"), Refuse),
        (format!("defaults\n{timeouts}frontend f\n bind :5672\n use_backend c\n{backend}"), Refuse),
        (
            format!(
                "defaults\n{timeouts}frontend f\n bind :5672\n server s1 10.0.0.1:1\n default_backend b\n{backend}"
            ),
            Refuse,
        ),
        (
            format!("defaults\n{timeouts}frontend f\n bind :5672\n timeout server 5s\n default_backend b\n{backend}"),
            Take,
        ),
        (format!("defaults\n{timeouts}frontend b\n bind :5672\n default_backend b\n{backend}"), Take),
        (format!("defaults\n{timeouts}frontend f\n bind :5672\n default_backend b\n{backend}{backend}"), Refuse),
        (format!("defaults\n{timeouts}listen b\n bind :5672\n default_backend b\n"), Refuse),
        (format!("defaults\n{timeouts}frontend f\n default_backend b\n{backend}"), Refuse),
        (format!("defaults\n{timeouts}frontend f\n bind :5672\n default_backend b\n{backend} bind :5673\n"), Take),
        (
            format!(
                "defaults\n{timeouts}frontend f\n bind :5672\n use_backend b if {{ src 10.0.0.1 }}\n default_backend b\n{backend}"
            ),
            Take,
        ),
        (format!("defaults\n{timeouts}frontend f\n bind :5672\n"), Take),
        (format!("defaults\n{timeouts}listen lb\n bind :5672\n"), Take),
        ("listen lb\n bind :5672\n server s1 10.0.0.1:5672\n".to_owned(), Take),
        ("timeout client 5s\nlisten lb\n bind :5672\n".to_owned(), Refuse),
        ("backend b\n server s1 10.0.0.1:5672\n".to_owned(), Refuse),
        (format!("{}resolvers dns\n nameserver a 127.0.0.1:53\n", listen("")), OnlyHaproxy("names are looked up once")),
        (format!("{}nothing dns\n", listen("")), Refuse),
        (format!(".if 1\n{}.endif\n", listen("")), OnlyHaproxy("conditions are not evaluated")),
        (listen("").trim_end().to_owned(), Refuse),
        ("global extra\n".to_owned() + &listen(""), Refuse),
    ];
    compare(cases);
}

#[test]
fn they_agree_about_formats_of_lines() {
    let formats: &[(&str, Both)] = &[
        ("%ci:%cp", Take),
        ("%T %t", Take),
        ("%{+Q}o %{-Q}ci %{+X,-Q}cp", Take),
        ("%{+nothing}ci", Take),
        ("100%%", Take),
        ("%", Refuse),
        ("%ci%", Refuse),
        ("% ", Refuse),
        ("%1", Refuse),
        ("%-", Take),
        ("%{+Q", Refuse),
        ("%{+Q}", Refuse),
        ("%{+Q}-", Refuse),
        ("%{}ci", Take),
        ("%cix", Refuse),
        ("%nothing", Refuse),
        ("%HM", Refuse),
        ("%tr", Refuse),
        ("%tsc %hr %sslv", Take),
        ("%[src]", OnlyHaproxy("lines are written from variables")),
        ("%[src", Refuse),
    ];
    let lines = |format: &str| [" log-format ", " error-log-format "].map(|keyword| format!("{keyword}'{format}'"));
    let cases = formats.iter().flat_map(|(format, expected)| lines(format).map(|line| (listen(&line), *expected)));
    compare(&cases.collect::<Vec<_>>());
    let cases = [(" log-format", Refuse), (" log-format %ci %cp", Refuse), (" log-format %ci\\ %cp", Take)];
    compare(&cases.map(|(line, expected)| (listen(line), expected)));
}

#[test]
fn they_agree_about_rules_and_their_conditions() {
    let cases: &[(&str, Both)] = &[
        (" tcp-request connection reject", Take),
        (" tcp-request connection reject if { src 10.0.0.1 }", Take),
        (" tcp-request connection accept unless { src 10.0.0.0/8 10.0.0.0/255.0.0.0 ::1 fe80::/10 }", Take),
        (" tcp-request connection", Refuse),
        (" tcp-request connection nothing", Refuse),
        (" tcp-request connection reject when { src 10.0.0.1 }", Refuse),
        (" tcp-request connection reject if", Take),
        (" tcp-request connection reject if nobody", Refuse),
        (" tcp-request connection reject if { src 10.0.0.1", Refuse),
        (" tcp-request connection reject if {src 10.0.0.1 }", Refuse),
        (" tcp-request connection reject if { src 10.0.0.0/33 }", Refuse),
        (" tcp-request connection reject if { nothing 10.0.0.1 }", Refuse),
        (" tcp-request connection reject if { src -f /nowhere }", Refuse),
        (" tcp-request connection reject if TRUE or FALSE || LOCALHOST", Take),
        (" tcp-request connection reject if true", Refuse),
        (" tcp-request connection reject if !TRUE ! FALSE", Take),
        (" tcp-request connection reject if TRUE or", Take),
        (" tcp-request connection silent-drop", OnlyHaproxy("who is not taken gets RST")),
        (" tcp-request connection expect-proxy layer4", Take),
        (" tcp-request connection expect-proxy", Refuse),
        (" tcp-request connection expect-proxy layer7", Refuse),
        (" tcp-request session expect-proxy layer4", Refuse),
        (" tcp-request session reject if { src 10.0.0.1 }", Take),
        (" acl near src 10.0.0.0/8", Take),
        (" acl near src", Take),
        (" acl near", Refuse),
        (" acl", Refuse),
        (" acl ne/ar src 10.0.0.0/8", Refuse),
        (" acl near src 10.0.0.0/8\n acl near src 11.0.0.0/8\n tcp-request connection reject if near", Take),
        (" tcp-request connection reject if near\n acl near src 10.0.0.0/8", Refuse),
        (" acl low dst_port 1:1023", Take),
        (" acl low dst_port lt 1024", Take),
        (" acl low src_port 0:1023 4000", Take),
        (" acl low dst_port 5:1", Refuse),
        (" acl low dst_port low", Refuse),
        (" acl there dst 10.0.0.1", Take),
        (
            " stick-table type ip size 1k store conn_rate(1s)\n acl fast src_conn_rate gt 10",
            OnlyHaproxy("there are no tables"),
        ),
        (" use_backend lb if { src 10.0.0.1 }", Refuse),
    ];
    compare(&cases.iter().map(|(lines, expected)| (listen(lines), *expected)).collect::<Vec<_>>());
    let defaults = |name: &str| {
        format!(
            "defaults {name}\n timeout client 1s\n tcp-request connection reject if {{ src 10.0.0.1 }}\n\
             frontend f from base\n bind 127.0.0.1:5672\n"
        )
    };
    compare(&[(defaults(""), Refuse), (defaults("base"), OnlyHaproxy("rules stand in the proxies"))]);
}

/// Those of these lines about which HAProxy says this, in a file behind a section's first line.
fn alerts(section: &str, lines: &[String], about: fn(&str) -> bool) -> Vec<String> {
    let output = said(&haproxy(&format!("{section}\n{}\n nonsense\n", lines.join("\n"))));
    // It stops at the fiftieth error, and at the first that is too bad.
    if lines.len() > 1 && !output.contains("unknown keyword 'nonsense'") {
        let (first, last) = lines.split_at(lines.len() / 2);
        return [alerts(section, first, about), alerts(section, last, about)].concat();
    }
    let alerts = output.lines().filter(|line| line.contains("[ALERT]") && about(line));
    // `… parsing [FILE:12] : …`
    let number = |line: &str| line.split_once("parsing [")?.1.split_once(']')?.0.rsplit_once(':')?.1.parse().ok();
    alerts.filter_map(number).filter_map(|line: usize| lines.get(line.checked_sub(2)?).cloned()).collect()
}

fn keywords(wanted: impl Fn(&Supported) -> bool) -> Vec<&'static str> {
    supported().filter(wanted).map(|one| one.keyword).collect()
}

#[test]
fn haproxy_knows_every_keyword_of_the_tables() {
    const UNKNOWN: &[&str] = &[
        "unknown keyword",
        "unknown option",
        "unknown stats parameter",
        "'timeout' supports",
        "'stats' only supports",
        "'tcp-check' only supports",
        "'http-check' only supports",
    ];
    let unknown = |line: &str| UNKNOWN.iter().any(|text| line.contains(text)) && !line.contains(" '5'");
    let global = |place: Where| matches!(place, Where::Sections(sections) if sections.contains(&In::Global));
    let there = |one: &Supported| one.status != Status::Removed;
    // What builds of HAProxy lack that are made without some libraries; `debug`, which only 1.5 had; and `quiet`, behind
    // which nothing is said any more.
    let left_out = [
        "51degrees",
        "debug",
        "deviceatlas",
        "profiling.memory",
        "quic-force-retry",
        "quiet",
        "ssl-engine",
        "tune.quic",
        "tune.zlib",
        "wurfl",
    ];
    let lines = |keywords: Vec<&str>, before: &str| -> Vec<String> {
        let known = keywords.into_iter().filter(|word| !left_out.iter().any(|other| word.starts_with(other)));
        known.map(|keyword| format!("{before}{keyword} 5")).collect()
    };
    let tables = [
        ("global", lines(keywords(|one| global(one.place) && there(one)), " ")),
        (
            "listen lb",
            lines(keywords(|one| matches!(one.place, Where::Sections(_)) && !global(one.place) && there(one)), " "),
        ),
        ("listen lb", lines(keywords(|one| one.place == Where::Bind), " bind :5672 ")),
        ("listen lb", lines(keywords(|one| one.place == Where::Server), " server s 10.0.0.1:1 ")),
        ("global", lines(keywords(|one| one.place == Where::StatsSocket), " stats socket /run/x ")),
    ];
    let unknown: Vec<String> = tables.iter().flat_map(|(section, lines)| alerts(section, lines, unknown)).collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn haproxy_refuses_what_the_tables_say_it_refuses() {
    for (section, inside) in [("global", true), ("listen lb", false)] {
        let of_section =
            |one: &Supported| matches!(one.place, Where::Sections(all) if all.contains(&In::Global) == inside);
        let removed = keywords(|one| one.status == Status::Removed && of_section(one));
        let lines: Vec<String> = removed.iter().map(|keyword| format!(" {keyword} 5")).collect();
        let mut refused = alerts(section, &lines, |_| true);
        refused.dedup();
        assert_eq!(refused, lines);
    }
}
