//! Where operators ask and order (manual, section 3.1 `stats`; management guide, section 9).

use super::super::arguments::Arguments;
use super::super::directive::{Directive, GLOBAL, Setting, Status, read_settings};
use super::super::global::{Identity, StatsLevel, StatsSocket, Who};
use super::super::{Bind, BindAddress};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("stats socket", GLOBAL, "<path> [<setting>…]", "a socket for operators").global(|global, a| {
        global.stats.sockets.extend(socket(a));
    }),
    Directive::new("stats timeout", GLOBAL, "<time>", "how long an operator may be silent").global(|global, a| {
        global.stats.timeout = a.positive_time();
    }),
    Directive::new("stats maxconn", GLOBAL, "<number>", "how many operators there may be at once").global(
        |global, a| {
            global.stats.maxconn = a.number_in(1..=u32::MAX);
        },
    ),
    Directive::moot("stats bind-process", GLOBAL, "there is one process"),
];

fn socket(arguments: &mut Arguments<'_>) -> Option<StatsSocket> {
    let word = arguments.required("a path")?;
    let binds = arguments.with_notes(|notes| Bind::addresses(word, notes));
    let address = binds.into_iter().next().map(|bind| bind.address);
    let mut socket = StatsSocket {
        address: BindAddress::Other(String::new()),
        level: StatsLevel::default(),
        mode: None,
        user: None,
        group: None,
        exposes_listeners: false,
        position: word.position.clone(),
    };
    if !matches!(address, None | Some(BindAddress::Unix(_) | BindAddress::Other(_))) {
        arguments.unsupported(word, format!("`{}` is not implemented: operators come by the file system", word.text));
    }
    read_settings("`stats socket`", SETTINGS, &mut socket, arguments);
    Some(StatsSocket { address: address?, ..socket })
}

/// What can stand behind the path. A further setting is one entry here.
pub(in super::super) const SETTINGS: &[Setting<StatsSocket>] = &[
    Setting::new("level", "user | operator | admin", "what may be ordered there", |socket, a| {
        let levels = [("user", StatsLevel::User), ("operator", StatsLevel::Operator), ("admin", StatsLevel::Admin)];
        socket.level = a.one_of(&levels).unwrap_or_default();
    }),
    Setting::new("mode", "<octal>", "the file's mode", |socket, a| {
        if let Some(word) = a.required("a file's mode") {
            socket.mode = u32::from_str_radix(&word.text, 8).ok().filter(|mode| *mode <= 0o7777);
            if socket.mode.is_none() {
                a.malformed(word, format!("`{}` is no file's mode: expected octal digits", word.text));
            }
        }
    }),
    Setting::new("user", "<name>", "the file's owner", |socket, a| socket.user = identity(a, false)),
    Setting::new("uid", "<number>", "the file's owner", |socket, a| socket.user = identity(a, true)),
    Setting::new("group", "<name>", "the file's group", |socket, a| socket.group = identity(a, false)),
    Setting::new("gid", "<number>", "the file's group", |socket, a| socket.group = identity(a, true)),
    Setting::new("expose-fd", "listeners", "a new process gets the listening sockets there (`-x`)", |socket, a| {
        socket.exposes_listeners = a.one_of(&[("listeners", true)]).unwrap_or(false);
    }),
    Setting::other("severity-output", 1, Status::Unsupported, "answers have no severity"),
    Setting::other("name", 1, Status::Moot, "sockets for operators are known by their paths"),
    Setting::other("id", 1, Status::Moot, "sockets for operators are known by their paths"),
    Setting::other("process", 1, Status::Moot, "there is one process"),
    Setting::other("thread", 1, Status::Moot, "threads take connections as they come"),
    Setting::other("maxconn", 1, Status::Unsupported, "`stats maxconn` holds for all sockets"),
    Setting::other("backlog", 1, Status::Moot, "operators are few"),
    Setting::other("nice", 1, Status::Moot, "all connections are of the same importance"),
    Setting::other("interface", 1, Status::Unsupported, "operators come by the file system"),
    Setting::other("ssl", 0, Status::Unsupported, "there is no TLS here"),
    Setting::other("crt", 1, Status::Unsupported, "there is no TLS here"),
];

fn identity(arguments: &mut Arguments<'_>, number: bool) -> Option<Identity> {
    let position = arguments.position();
    let who = if number { Who::Number(arguments.number()?) } else { Who::Name(arguments.text("a name")?) };
    Some(Identity { who, position: position? })
}
