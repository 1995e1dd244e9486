//! A command that takes an interface down inside its node.

use super::{Lint, Remark, Subject};
use crate::clients::Way;

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "interface-down",
    about: "a command takes an interface down inside its node: its routes go too, and programs are told; a pulled cable does neither",
    source: "fib_sync_down_dev in net/ipv4/fib_semantics.c: a link that is down administratively loses its routes",
    in_every_case: false,
    find,
};

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let case = subject.case;
    let services =
        case.services.iter().map(|service| (service.line, service.kind.place(&case.directory, &service.env)));
    let clients =
        case.clients.iter().map(|client| (client.line, client.kind.place(client, &Way::nowhere(&case.directory))));
    let downs = services.chain(clients).filter_map(|(line, place)| {
        let argv = place.ok()?.argv;
        takes_down(&argv.join(" ")).then(|| Remark {
            line,
            message: "this takes an interface down inside its node: the node loses its routes and its programs hear of it, which \
                      no cable does that is pulled"
                .into(),
            help: "`unplug: { wire, at }` takes the carrier away from outside; `cut` loses packets in silence".into(),
        })
    });
    downs.collect()
}

fn takes_down(words: &str) -> bool {
    let words: Vec<_> = words.split(|c: char| c.is_whitespace() || ";&|\"'".contains(c)).collect();
    let tool =
        words.iter().position(|word| ["ip", "ifconfig", "ifdown"].contains(&word.rsplit('/').next().unwrap_or(word)));
    tool.is_some_and(|at| words[at].ends_with("ifdown") || words[at..].contains(&"down"))
}
