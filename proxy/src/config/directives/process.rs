//! The process: who it is, what it may use (manual, section 3.1).

use super::super::arguments::{Arguments, MILLISECONDS};
use super::super::directive::{Directive, GLOBAL};
use super::super::global::{Identity, Who};

pub(super) const DIRECTIVES: &[Directive] = &[
    Directive::new("user", GLOBAL, "<name>", "whom the process runs as").global(|global, a| {
        once(&mut global.user, a, |a| named(a, "a user"));
    }),
    Directive::new("uid", GLOBAL, "<number>", "whom the process runs as").global(|global, a| {
        once(&mut global.user, a, numbered);
    }),
    Directive::new("group", GLOBAL, "<name>", "the group that the process runs as").global(|global, a| {
        once(&mut global.group, a, |a| named(a, "a group"));
    }),
    Directive::new("gid", GLOBAL, "<number>", "the group that the process runs as").global(|global, a| {
        once(&mut global.group, a, numbered);
    }),
    Directive::new("chroot", GLOBAL, "<folder>", "the folder that becomes the root").global(|global, a| {
        once(&mut global.chroot, a, |a| a.text("a folder").map(Into::into));
    }),
    Directive::new("pidfile", GLOBAL, "<file>", "where the process writes its number").global(|global, a| {
        once(&mut global.pidfile, a, |a| a.text("a file").map(Into::into));
    }),
    Directive::new("daemon", GLOBAL, "", "the process goes to the background").global(|global, _| global.daemon = true),
    Directive::moot("quiet", GLOBAL, "a proxy that runs writes nothing to the standard outputs")
        .global(|global, _| global.quiet = true),
    Directive::new("zero-warning", GLOBAL, "", "a configuration with warnings is refused"),
    Directive::new("maxconn", GLOBAL, "<number>", "the most connections that the process takes at once").global(
        |global, a| {
            once(&mut global.maxconn, a, |a| a.number());
        },
    ),
    Directive::new("ulimit-n", GLOBAL, "<number>", "the most descriptors that the process may have open").global(
        |global, a| {
            once(&mut global.ulimit_n, a, |a| a.number());
        },
    ),
    Directive::moot("nbthread", GLOBAL, "one thread has all sessions").global(|global, a| {
        global.nbthread = a.number_in(1..=64);
    }),
    Directive::new("hard-stop-after", GLOBAL, "<time>", "how long after a soft stop the remaining sessions are ended")
        .global(|global, a| global.hard_stop_after = a.time(MILLISECONDS).flatten()),
    Directive::new("description", GLOBAL, "<text>", "a text that describes the process").global(|global, a| {
        global.description = a.sentence();
    }),
    Directive::new("node", GLOBAL, "<name>", "the node's name").global(|global, a| global.node = a.text("a name")),
    Directive::moot(
        "debug",
        GLOBAL,
        "it made HAProxy 1.5 stay in the foreground and print what passed; 2.6 refuses it",
    ),
    Directive::unsupported("master-worker", GLOBAL, "there is one process"),
    Directive::unsupported("mworker-max-reloads", GLOBAL, "there is one process"),
    Directive::unsupported("grace", GLOBAL, "a soft stop closes the listening sockets at once"),
    Directive::unsupported("close-spread-time", GLOBAL, "idle sessions are not closed one by one while stopping"),
    Directive::unsupported("unix-bind", GLOBAL, "clients come by TCP"),
    Directive::unsupported("localpeer", GLOBAL, "proxies do not tell one another about clients"),
    Directive::unsupported("default-path", GLOBAL, "paths are taken from where the process starts"),
    Directive::unsupported("fd-hard-limit", GLOBAL, "`ulimit-n` and the system's limit hold"),
    Directive::unsupported("strict-limits", GLOBAL, "whether a limit that cannot be set is an error is not chosen")
        .negatable(),
    Directive::unsupported("set-dumpable", GLOBAL, "whether the process leaves a core is the system's choice")
        .negatable(),
    Directive::unsupported("insecure-fork-wanted", GLOBAL, "the process starts no other").negatable(),
    Directive::unsupported("insecure-setuid-wanted", GLOBAL, "the process starts no other"),
    Directive::unsupported("external-check", GLOBAL, "the process starts no other"),
    Directive::unsupported("expose-experimental-directives", GLOBAL, "there are no experimental directives"),
    Directive::unsupported("cluster-secret", GLOBAL, "there is no QUIC here"),
    Directive::unsupported("pp2-never-send-local", GLOBAL, "checks say that they speak for nobody"),
    Directive::unsupported("server-state-base", GLOBAL, "the state of servers is not kept over a restart"),
    Directive::unsupported("server-state-file", GLOBAL, "the state of servers is not kept over a restart"),
    Directive::unsupported("maxconnrate", GLOBAL, "the rate of connections is not limited"),
    Directive::unsupported("maxsessrate", GLOBAL, "the rate of sessions is not limited"),
];

/// HAProxy keeps the first of two, and says so.
fn once<T>(slot: &mut Option<T>, arguments: &mut Arguments<'_>, read: impl FnOnce(&mut Arguments<'_>) -> Option<T>) {
    let value = read(arguments);
    if slot.is_none() {
        *slot = value;
    } else {
        let message = format!("`{}` has been set before; the first one holds", arguments.name());
        arguments.note_keyword(super::super::NoteKind::Warning, message);
    }
}

fn named(arguments: &mut Arguments<'_>, expected: &str) -> Option<Identity> {
    let word = arguments.required(expected)?;
    Some(Identity { who: Who::Name(word.text.clone()), position: word.position.clone() })
}

fn numbered(arguments: &mut Arguments<'_>) -> Option<Identity> {
    let position = arguments.position();
    Some(Identity { who: Who::Number(arguments.number()?), position: position? })
}
