//! `close` right behind `send`, where the payload comes back.
//!
//! close(2) with unread data in the receive queue sends RST instead of FIN (`tcp_close`, net/ipv4/tcp.c; RFC 2525, 2.17). Whether the
//! answer has come by then, and whether it was read, is decided by microseconds.

use super::{Lint, Remark, Subject};
use crate::actors::What;

/// The entry in the list.
pub const LINT: Lint = Lint {
    name: "close-races-the-answer",
    about: "a client ends its connection right behind a `send` that is answered: FIN or RST, by chance",
    source: "RFC 2525, 2.17; tcp_close in net/ipv4/tcp.c: data that was not read turns the FIN into a RST",
    in_every_case: false,
    find,
};

fn find(subject: &Subject<'_>) -> Vec<Remark> {
    let pairs = subject.case.timeline.windows(2);
    let races = pairs.filter_map(|pair| {
        let [first, second] = pair else { return None };
        let (client, What::Send { .. }) = first.kind.order()? else { return None };
        let closes = matches!(second.kind.order(), Some((name, What::Close)) if name == client)
            || (["kill", "terminate"].contains(&second.verb) && second.kind.object() == Some(client));
        (closes && subject.is_answered(client)).then(|| Remark {
            line: second.line,
            message: format!(
                "`{}` comes right behind `send`, and what `{client}` sends comes back: whether the answer is read by then \
                 decides between FIN and RST",
                second.verb
            ),
            help: "put `- idle: 100ms` between them, or give the server `echo: off`".into(),
        })
    });
    races.collect()
}
