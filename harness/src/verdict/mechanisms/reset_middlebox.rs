//! A RST from a firewall that does not know the connection, or does not know it any more.

use crate::evidence::{FirewallSettings, Moment, Point, Source, Span};

use super::super::decide::{Due, Judgement};
use super::super::scene::{INSTANT, Scene, Way};
use super::super::way::Passed;
use super::patterns::{ended_as, ms, s};
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "reset-middlebox",
    scope: Scope::Stranger,
    who: "firewall",
    fires: "a segment reached a firewall that has forgotten the connection, or never knew it, and that resets what it does not know",
    counted_from: "the last segment that passed the firewall, or the last with payload; it forgets then, and shows it at the next segment",
    settings: "net.netfilter.nf_conntrack_tcp_timeout_*, nf_conntrack_tcp_loose, and the firewall's rules",
    wire: "RST in the other endpoint's name, which that never sent; what it answers goes no further",
    application: "ECONNRESET at the one that sent; the other waits on",
    source: "net/netfilter/nf_conntrack_proto_tcp.c; net/ipv4/netfilter/nf_reject_ipv4.c nf_send_reset()",
    shown: "middleboxes/nlb-forgets",
    near: "seed/power-off",
    judge,
};

fn judge(scene: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    if scene.model.has(Source::Settings) && scene.model.firewalls.is_empty() {
        judgement.exclude_alone(Source::Settings, "there is no firewall");
    }
    ended_as(&mut judgement, scene, |ending| ending.way == Way::GotRst);
    let Some(end) = scene.end() else {
        judgement.exclude(Source::Timeline, "no end was seen");
        return judgement;
    };
    by_kernel(&mut judgement, scene, end.at);
    by_wire(&mut judgement, scene, end.at);
    let only = match scene.model.firewalls.as_slice() {
        [only] => Some(only.node.clone()),
        _ => None,
    };
    judgement.by = judgement.by.or(only);
    by_memory(&mut judgement, scene, end.at);
    judgement
}

/// The RST of a kernel that has a socket leaves a trace; one that a firewall makes in its name does not.
fn by_kernel(judgement: &mut Judgement, scene: &Scene<'_>, end: Moment) {
    let peer = scene.peer();
    if let Some((at, ..)) = peer.me().resets_sent.iter().find(|(at, ..)| *at <= end.after(INSTANT)) {
        judgement.exclude(Source::Kernel, format!("{}'s kernel sent a RST at {at}", peer.me().node));
    } else if peer.had_socket(end) {
        judgement.support(Source::Kernel, format!("{} had a socket for it, and its kernel made no RST", peer.me().node));
    }
}

fn by_wire(judgement: &mut Judgement, scene: &Scene<'_>, end: Moment) {
    if !scene.model.has(Source::Wire) {
        return;
    }
    let peer = scene.peer();
    if let Some(sent) = peer.me().sent.iter().find(|seen| seen.flags.rst() && seen.at <= end.after(INSTANT)) {
        judgement.exclude(Source::Wire, format!("{} sent a RST at {}", peer.me().node, sent.at));
        return;
    }
    let in_its_name = |made: &&Passed| {
        made.seen.flags.rst() && made.from == peer.me().pair.local && made.seen.at <= end.after(INSTANT)
    };
    match scene.connection().made_on_the_way().into_iter().rev().find(in_its_name) {
        Some(made) => {
            let (at, name) = (made.seen.at, &peer.me().node);
            judgement.support(Source::Wire, format!("{} sent the RST in {name}'s name at {at}; {name} sent none", made.node));
            judgement.by = Some(made.node.clone());
        }
        None => judgement.exclude(Source::Wire, "no node on the way sent a RST"),
    }
}

/// Why the firewall did not know the connection any more.
fn by_memory(judgement: &mut Judgement, scene: &Scene<'_>, end: Moment) {
    let Some(node) = judgement.by.clone() else { return };
    let here = |passed: &&Passed| passed.node == node && passed.point == Point::Sent && !passed.seen.flags.rst();
    let through: Vec<&Passed> = scene.connection().passed.iter().filter(here).filter(|p| p.seen.at < end).collect();
    let lost = scene.model.injected.iter().rev().find(|(at, verb, target)| {
        matches!(verb.as_str(), "forget" | "power-off") && *target == node && *at <= end
    });
    if let Some((at, verb, target)) = lost {
        judgement.support(Source::Timeline, format!("`{verb}: {target}` at {at}"));
        judgement.struck = Some(*at);
        return;
    }
    let settings = scene.model.firewalls.iter().find(|firewall| firewall.node == node);
    let Some(due) = settings.and_then(|settings| memory(scene, settings, &through)) else { return };
    let forgot = due.since.after(due.nominal);
    if forgot <= end {
        let text = format!("{node} forgets it {} after the {}: at {forgot}", due.sum, due.what);
        judgement.support(Source::Settings, text);
        judgement.struck = Some(forgot);
        judgement.due = Some(due);
    }
}

/// When a firewall forgets a connection of which this was the last that passed.
fn memory(scene: &Scene<'_>, firewall: &FirewallSettings, through: &[&Passed]) -> Option<Due> {
    let sysctl = |name: &str| {
        let seconds = scene.model.sysctl(&firewall.node, &format!("net.netfilter.nf_conntrack_tcp_timeout_{name}"))?;
        Some((Span::millis(i64::try_from(seconds).ok()?.checked_mul(1000)?), format!("nf_conntrack_tcp_timeout_{name}")))
    };
    let last = through.last()?;
    let fin = through.iter().find(|passed| passed.seen.flags.fin());
    let answered = fin.is_some_and(|fin| through.iter().any(|p| p.from != fin.from && p.seen.at >= fin.seen.at));
    let tracked = match (fin, answered) {
        (None, _) => sysctl("established"),
        (Some(_), false) => sysctl("fin_wait"),
        (Some(_), true) => sysctl("close_wait"),
    };
    let tracked = tracked.map(|(after, name)| (last.seen.at, after, format!("last segment through {}", firewall.node), name));
    let speaks = through.iter().rev().find(|passed| passed.seen.payload > 0 || passed.seen.flags.syn());
    let payload = firewall.payload_idle_ms.zip(speaks).map(|(after, speaks)| {
        (speaks.seen.at, ms(after), format!("last payload through {}", firewall.node), "payload idle".to_owned())
    });
    let first = tracked.into_iter().chain(payload).min_by_key(|(since, after, ..)| since.after(*after))?;
    let (since, nominal, what, name) = first;
    let sum = format!("{} ({name})", s(nominal));
    Some(Due { what, since, nominal, window: (nominal, Span(nominal.0 + INSTANT.0)), sum })
}
