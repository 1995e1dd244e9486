//! `timeout connect`.

use crate::evidence::{Moment, Source};

use super::super::decide::Judgement;
use super::super::scene::{Scene, Way};
use super::patterns::{ended_as, ms, must_show_own, seen};
use super::proxy_decision::{elsewhere, by_exit, by_log, by_server, first_shut, own_doing};
use super::proxy_timer::due;
use super::{Entry, Scope};

/// The entry.
pub const ENTRY: Entry = Entry {
    name: "proxy-timeout-connect",
    scope: Scope::Cause,
    who: "proxy",
    fires: "a server does not answer an attempt to connect for `timeout connect`; each attempt ends by it, and the client's leg with the last one",
    counted_from: "the attempt's SYN",
    settings: "HAProxy's `timeout connect`, `retries` (so many attempts after the first), `option redispatch`",
    wire: "SYNs without an answer; nothing more when the attempt is given up; after the last one FIN to the client",
    application: "the client is accepted, waits and reads EOF; HAProxy logs `sC`, or `cC` when `timeout client` has passed meanwhile",
    source: "HAProxy configuration manual 2.6, 4.2 `timeout connect` and `retries`, 8.5; src/backend.c back_handle_st_con(), back_handle_st_cer(); measured with 2.6.12",
    shown: "proxies/connect-timeout",
    near: "proxies/connect-refused",
    judge,
};

/// The log has the first failure of a session's attempts, and keeps an earlier mark of the client's timer.
const STATES: [&str; 2] = ["sC", "cC"];

fn judge(scene: &Scene<'_>) -> Judgement {
    if scene.side == 0 && scene.at_proxy() {
        return of_attempt(scene);
    }
    if let Some(answer) = elsewhere(scene) {
        return answer;
    }
    let mut judgement = Judgement::default();
    own_doing(&mut judgement, scene);
    by_exit(&mut judgement, scene);
    by_server(&mut judgement, scene, false);
    by_log(&mut judgement, scene, |log| STATES.contains(&log.termination.as_str()));
    judgement.struck = first_shut(scene);
    by_attempts(&mut judgement, scene);
    judgement
}

/// The client's leg ends with the last attempt, and for what ended the first one.
fn by_attempts(judgement: &mut Judgement, scene: &Scene<'_>) {
    let of = |index: &usize| Scene { connection: *index, side: 0, ..*scene };
    let (Some(first), Some(last)) = (scene.attempts().first().map(of), scene.attempts().last().map(of)) else {
        if scene.has_no_attempts() {
            for source in [Source::Kernel, Source::Wire].into_iter().filter(|source| scene.model.has(*source)) {
                judgement.exclude(source, "the proxy made no attempt to connect for this session");
            }
        }
        return;
    };
    let count = scene.attempts().len();
    for ending in first.endings() {
        if ending.way == Way::Abandoned {
            judgement.support(ending.source, format!("{count} attempts; of the first, {}", seen(&ending)));
        } else {
            judgement.exclude(ending.source, format!("of the first attempt, {} at {}", seen(&ending), ending.at));
        }
    }
    if last.kernel_end().is_none_or(|end| end.way == Way::Abandoned) {
        by_time(judgement, &last, judgement.struck);
    }
}

fn of_attempt(opener: &Scene<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let me = opener.me();
    ended_as(&mut judgement, opener, |ending| ending.way == Way::Abandoned);
    by_server(&mut judgement, opener, false);
    by_exit(&mut judgement, opener);
    let syns = me.sent.iter().filter(|seen| seen.flags.syn()).count();
    if syns > 0 && me.delivered.is_empty() {
        judgement.support(Source::Wire, format!("{syns} SYNs were sent and not answered"));
    }
    must_show_own(&mut judgement, opener);
    let end = opener.kernel_end().map(|end| end.at);
    by_client(&mut judgement, opener);
    of_attempt_by_log(&mut judgement, opener);
    by_time(&mut judgement, opener, end);
    judgement
}

/// A client that goes away ends the attempt too.
fn by_client(judgement: &mut Judgement, opener: &Scene<'_>) {
    let (Some(client), Some(end)) = (opener.other_leg(), opener.kernel_end()) else { return };
    for theirs in client.endings().iter().filter(|theirs| !theirs.way.by_process() && theirs.at <= end.at) {
        judgement.exclude(theirs.source, format!("before that, on the client's leg, {} at {}", seen(theirs), theirs.at));
    }
}

/// The log's state is that of the whole session: it tells of the last attempt, and of the others that they were not the last.
fn of_attempt_by_log(judgement: &mut Judgement, opener: &Scene<'_>) {
    let Some((at, log)) = opener.proxy_log() else { return };
    let last = opener.attempts().last() == Some(&opener.connection);
    let text = format!("the proxy logged `{}` at {at}, after {} retries", log.said(), log.retries.unwrap_or_default());
    if STATES.contains(&log.termination.as_str()) || !last && log.retries.is_some_and(|retries| retries > 0) {
        judgement.support(Source::Log, text);
    } else if last && !log.termination.starts_with('S') {
        judgement.exclude(Source::Log, text);
    }
}

fn by_time(judgement: &mut Judgement, attempt: &Scene<'_>, end: Option<Moment>) {
    let Some(timeouts) = attempt.timeouts() else { return };
    let Some(value) = timeouts.connect else {
        return judgement.exclude_alone(Source::Settings, "`timeout connect` is not set");
    };
    if attempt.connection().stood() {
        return;
    }
    let since = attempt.me().sent.iter().find(|seen| seen.flags.syn()).map(|seen| seen.at);
    let Some(since) = since else { return };
    let what = format!("SYN to {}", attempt.peer().me().node);
    due(judgement, attempt, "timeout connect", ms(value), (since, what), end);
}
