//! Sessions: listed, told in full, ended (`cli_io_handler_dump_sess` and its neighbours in `src/stream.c`).

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use super::command::{Answer, Command, Order, View};
use super::servers::with_server;
use crate::config::StatsLevel;
use crate::relay::log::wall;
use crate::relay::moment::Moment;
use crate::relay::poll::Key;
use crate::relay::session::{Session, Side, Stage};
use crate::relay::socket;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        words: "show sess",
        takes: "[all|<id>]",
        about: "report the list of current sessions, or all or one of them with their connections and timers",
        least: StatsLevel::Operator,
        answer: show,
    },
    Command {
        words: "shutdown session",
        takes: "<id>",
        about: "kill a specific session",
        least: StatsLevel::Admin,
        answer: |view, words| {
            let Some(number) = words.first().and_then(|word| number(word)).filter(|number| *number != 0) else {
                return "Session pointer expected (use 'show sess').\n".into();
            };
            match find(view, number) {
                Some((key, _)) => Answer::Order(Order::EndSession(key)),
                None => "No such session (use 'show sess').\n".into(),
            }
        },
    },
    Command {
        words: "shutdown sessions server",
        takes: "<bk>/<srv>",
        about: "kill sessions on a server",
        least: StatsLevel::Admin,
        answer: |view, words| {
            with_server(view, words, |(backend, server)| Answer::Order(Order::EndSessions(backend, server)))
        },
    },
];

fn show(view: &View<'_>, words: &[&str]) -> Answer {
    let mut text = String::new();
    match words.first() {
        None => begun(view).for_each(|(_, session)| line(session, view, &mut text)),
        Some(&"all") => begun(view).for_each(|(_, session)| full(session, view, &mut text)),
        Some(word) => match number(word).and_then(|number| find(view, number)) {
            Some((_, session)) => full(session, view, &mut text),
            None => text.push_str("Session not found.\n"),
        },
    }
    Answer::Text(text)
}

/// The sessions without those whose client has yet to say for whom it speaks.
fn begun<'a>(view: &View<'a>) -> impl Iterator<Item = (Key, &'a Session)> {
    view.sessions.iter().filter(|(_, session)| !matches!(session.stage, Stage::Introducing(_)))
}

fn find<'a>(view: &View<'a>, number: u64) -> Option<(Key, &'a Session)> {
    begun(view).find(|(_, session)| session.story.number == number)
}

/// A number as strtoul(3) reads it.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A session on one line, as far as there is something to tell; what is HAProxy's own is 0.
fn line(session: &Session, view: &View<'_>, text: &mut String) {
    let story = &session.story;
    let backend = &view.backends[story.backend];
    let (client, upstream) = (session.leg(Side::Client), session.leg(Side::Server));
    let due = |at: Moment| if at.is_set() { human(at, view.now) } else { String::new() };
    let number = |socket: Option<&OwnedFd>| socket.map_or(-1, AsRawFd::as_raw_fd);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{:#x}: proto={} src={} fe={} be={} srv={} ts=00 epoch=0 age={} calls=0 rate=0 cpu=0 lat=0",
        story.number,
        protocol(story.client),
        plain(story.client),
        view.frontends[story.frontend].name,
        backend.name,
        story.server.map_or("<none>", |place| &backend.servers[place].name),
        human(view.now, story.accepted.0),
    );
    for (name, from, reads, writes) in [
        ("rq", Side::Client, client.read_by, upstream.write_by),
        ("rp", Side::Server, upstream.read_by, client.write_by),
    ] {
        let waiting = session.flow(from).waiting();
        let _ = write!(text, " {name}[f=000000h,i={waiting},an=00h,rx={},wx={},ax=]", due(reads), due(writes));
    }
    let _ = writeln!(
        text,
        " scf=[{},0h,fd={}] scb=[{},0h,fd={}] exp={} rc={} c_exp={}",
        if client.is_open() { ESTABLISHED } else { CLOSED },
        number(client.socket()),
        state(session.stage),
        number(upstream.socket()),
        due(session.due()),
        story.retries,
        due(session.stage.until()),
    );
}

/// HAProxy's numbers for how far a side is (`enum sc_state` in `include/haproxy/stconn-t.h`).
const ESTABLISHED: u8 = 8;
const CLOSED: u8 = 10;

fn state(stage: Stage) -> u8 {
    match stage {
        Stage::Introducing(_) => 0,
        Stage::Asking => 1,
        Stage::Queued(_) => 2,
        Stage::Pausing(_) => 3,
        Stage::Assigned => 4,
        Stage::Connecting(_) => 5,
        Stage::Established => ESTABLISHED,
        Stage::Over => CLOSED,
    }
}

/// A session in HAProxy's form, as far as there is something to tell ([`crate::sessions`] reads it).
fn full(session: &Session, view: &View<'_>, text: &mut String) {
    let story = &session.story;
    let (frontend, backend) = (&view.frontends[story.frontend], &view.backends[story.backend]);
    let server = story.server.map(|place| &backend.servers[place]);
    let (client, upstream) = (session.leg(Side::Client), session.leg(Side::Server));
    let local = |address: Option<SocketAddr>| address.map_or_else(|| "?".into(), plain);
    let protocol = protocol(story.client);
    let (accepted, date) = story.accepted;
    let due = |at: Moment| human(at, view.now);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{:#x}: [{}] id={} proto={protocol} source={}\n  conn_retries={}\n  frontend={} (id=0 mode=tcp), listener=? (id=0) addr={}\n  backend={} (id=0 mode=tcp) addr={}",
        story.number,
        wall::session_date(date),
        story.number,
        plain(story.client),
        story.retries,
        frontend.name,
        local(client.socket().and_then(socket::local)),
        backend.name,
        local(upstream.socket().and_then(socket::local)),
    );
    let _ = match server {
        Some(server) => writeln!(text, "  server={} (id=0) addr={}", server.name, plain(server.address)),
        None => writeln!(text, "  server=<NONE> (id=-1)"),
    };
    let _ = writeln!(text, "  task=0x0 (exp={} age={}s)", due(session.due()), view.now.since(accepted).as_secs());
    for (name, from, reads, writes) in [
        ("req", Side::Client, client.read_by, upstream.write_by),
        ("res", Side::Server, upstream.read_by, client.write_by),
    ] {
        let flow = session.flow(from);
        let _ = writeln!(
            text,
            "  {name}=0x0 (total={})\n      an_exp=<NEVER> rex={} wex={}\n      buf=0x0 o={} p=0 i=0 size=0",
            flow.total,
            due(reads),
            due(writes),
            flow.waiting()
        );
    }
}

fn protocol(client: SocketAddr) -> &'static str {
    if client.is_ipv4() { "tcpv4" } else { "tcpv6" }
}

/// `address:port`, an IPv6 address without brackets, as HAProxy writes it.
fn plain(address: SocketAddr) -> String {
    format!("{}:{}", address.ip(), address.port())
}

/// The two greatest units of the time that is left, as HAProxy's `human_time` writes it.
fn human(at: Moment, now: Moment) -> String {
    if !at.is_set() {
        return "<NEVER>".into();
    }
    let seconds = at.since(now).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}
