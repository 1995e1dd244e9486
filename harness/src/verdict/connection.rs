//! The rulings of both endpoints, and from them the connection's verdict.

use super::decide::{Decision, Due, Ruling};
use super::mechanisms::{Mechanism, Scope};
use super::scene::{self, Scene, Way};
use super::verdicts::{AMBIGUOUS, Afterwards, EndpointVerdict, Next, Since, UNKNOWN, Verdict};
use crate::evidence::{Moment, Source};

/// A connection under judgement: the rulings of both endpoints, and which of them closed it.
pub struct Connection<'a> {
    scenes: [Scene<'a>; 2],
    decisions: [Decision; 2],
}

/// Who closed a connection.
enum Closer {
    /// This endpoint.
    Endpoint(usize),
    /// The kernel of this endpoint, which forgot it in silence before it was established.
    Forgot(usize),
    /// A RST that came to this endpoint and that the other one did not send as a connection's end.
    Stranger(usize, Decision),
    /// Nobody.
    Nobody,
}

impl<'a> Connection<'a> {
    /// Judges both endpoints.
    #[must_use]
    pub fn of(scene: Scene<'a>) -> Connection<'a> {
        let scenes = [scene, scene.peer()];
        let opener = judged(&scenes[0]);
        // A host that was not reached has no endpoint: what became of the attempt is told by the end that made it.
        let acceptor = if scenes[1].never_reached() { opener.clone() } else { judged(&scenes[1]) };
        Connection { decisions: [opener, acceptor], scenes }
    }

    fn closer(&self) -> Closer {
        // An attempt that was refused is refused by the end that has no socket.
        if self.decisions[1].ruling() == Ruling::One(Mechanism::TcpConnectRefused) {
            return Closer::Endpoint(1);
        }
        let first = |wanted: fn(Way) -> bool| {
            let ends = self.scenes.iter().zip(0..).filter_map(|(scene, side)| Some((scene.end()?, side)));
            ends.filter(|(end, _)| wanted(end.way)).map(|(end, side)| (end.at, side)).min()
        };
        let (own, reset) = (first(Way::own), first(|way| way == Way::GotRst));
        let ended = own.into_iter().chain(reset).map(|(at, _)| at).min();
        let before = |when: Moment| ended.is_none_or(|ended| when < ended);
        if self.forgot().is_some_and(|when| when.map_or(ended.is_none(), before)) {
            return Closer::Forgot(1);
        }
        match (own, reset) {
            // What came before the other endpoint's own end is not of its making.
            (own, Some((at, side))) if own.is_none_or(|(own, _)| at.after(scene::INSTANT) < own) => {
                let strangers = Mechanism::ALL.iter().copied().filter(|m| m.entry().scope == Scope::Stranger);
                Closer::Stranger(side, Decision::of(&self.scenes[side], strangers))
            }
            (Some((_, side)), _) => Closer::Endpoint(side),
            _ => Closer::Nobody,
        }
    }

    /// Whether the kernel of the accepting end forgot a connection that the other one takes for established; and when, at the latest, if
    /// that is known: no source sees that moment.
    fn forgot(&self) -> Option<Option<Moment>> {
        let forgot = self.decisions[1].ruling() == Ruling::One(Mechanism::TcpSynackTimeout);
        if !forgot || !self.scenes[0].connection().stood() {
            return None;
        }
        let due = self.decisions[1].judgement(Mechanism::TcpSynackTimeout).and_then(|judgement| judgement.due.as_ref());
        Some(due.map(|due| due.since.after(due.window.1)))
    }

    /// The verdict; `label` is the client that the connection belongs to.
    #[must_use]
    pub fn verdict(&self, label: &str) -> Verdict {
        let [opener, acceptor] = &self.scenes;
        let (from, to) = (opener.me().node.clone(), acceptor.me().node.clone());
        let name = format!("{label} {from}->{to}").trim_start().to_string();
        let mut verdict = Verdict {
            name,
            session: None,
            from,
            to,
            addresses: Some([opener.me().pair.local, opener.me().pair.remote]),
            mechanism: UNKNOWN.into(),
            closed_by: None,
            signal: None,
            firm: false,
            at_s: None,
            struck_s: None,
            since: None,
            elapsed_s: None,
            nominal_s: None,
            lateness_s: None,
            window_s: None,
            next: Vec::new(),
            sources: Vec::new(),
            endpoints: (0..2).map(|side| self.endpoint(side)).collect(),
            because: None,
            log: self.scenes.iter().find_map(|scene| scene.proxy_log()).map(|(_, log)| log.said().to_owned()),
            proof: Vec::new(),
            doubts: Vec::new(),
        };
        match self.closer() {
            Closer::Endpoint(side) => self.closed(&mut verdict, side),
            Closer::Forgot(side) => self.forgotten(&mut verdict, side),
            Closer::Stranger(side, decision) => self.reset_by_stranger(&mut verdict, side, &decision),
            Closer::Nobody => self.standing(&mut verdict),
        }
        self.on_the_way(&mut verdict);
        for (scene, decision) in self.scenes.iter().zip(&self.decisions) {
            let known = matches!(decision.ruling(), Ruling::One(_));
            if !(decision.firm() || verdict.firm && known) {
                let of_endpoint = |doubt: String| format!("at {}: {doubt}", scene.me().node);
                verdict.doubts.extend(decision.doubts().into_iter().map(of_endpoint));
            }
        }
        verdict
    }

    fn closed(&self, verdict: &mut Verdict, side: usize) {
        let (scene, decision) = (&self.scenes[side], &self.decisions[side]);
        let Some(end) = scene.end() else { return };
        verdict.closed_by = Some(scene.me().node.clone());
        verdict.signal = Some(signal(scene, end.at).into());
        verdict.at_s = Some(seconds(end.at));
        let mut ruling = decision.ruling();
        if self.could_be_earlier(1 - side) {
            ruling = Ruling::Ambiguous;
            verdict.doubts.push(format!(
                "how {} ended is not known, and it may have been first",
                self.scenes[1 - side].me().node
            ));
        }
        self.rule(verdict, decision, ruling);
        let Ruling::One(mechanism) = ruling else { return };
        let Some(judgement) = decision.judgement(mechanism) else { return };
        if let Some(by) = &judgement.by {
            verdict.closed_by = Some(by.clone());
        }
        let struck = judgement.struck.unwrap_or(end.at);
        if end.at.since(struck) > scene::INSTANT {
            verdict.struck_s = Some(seconds(struck));
        }
        self.explain(verdict, judgement.due.as_ref(), struck);
        if mechanism == Mechanism::ProxyRelayed {
            self.chain(verdict, scene, "passed on");
        } else if let Some(half) =
            [Source::Kernel, Source::Wire].into_iter().find_map(|source| scene.half_closed(source))
        {
            self.chain(verdict, scene, &format!("half-closed since {}", half.since));
        }
    }

    /// Its time is that of its settings, as nothing shows when it was forgotten.
    fn forgotten(&self, verdict: &mut Verdict, side: usize) {
        let (scene, decision) = (&self.scenes[side], &self.decisions[side]);
        verdict.closed_by = Some(scene.me().node.clone());
        verdict.signal = Some("none".into());
        self.rule(verdict, decision, decision.ruling());
        let Some(due) = decision.judgement(Mechanism::TcpSynackTimeout).and_then(|judgement| judgement.due.as_ref())
        else {
            return;
        };
        verdict.since = Some(Since { what: due.what.clone(), at_s: seconds(due.since) });
        verdict.nominal_s = Some(round(due.nominal.seconds()));
        verdict.window_s = Some([round(due.window.0.seconds()), round(due.window.1.seconds())]);
    }

    fn reset_by_stranger(&self, verdict: &mut Verdict, side: usize, decision: &Decision) {
        let Some(end) = self.scenes[side].end() else { return };
        verdict.at_s = Some(seconds(end.at));
        verdict.closed_by = Some(self.scenes[1 - side].me().node.clone());
        verdict.signal = Some("rst".into());
        let ruling = if self.could_be_earlier(1 - side) { Ruling::Ambiguous } else { decision.ruling() };
        self.rule(verdict, decision, ruling);
        let Ruling::One(mechanism) = ruling else { return };
        let Some(judgement) = decision.judgement(mechanism) else { return };
        if mechanism == Mechanism::ResetMiddlebox {
            verdict.closed_by.clone_from(&judgement.by);
        }
        if let Some(struck) = judgement.struck {
            verdict.struck_s = Some(seconds(struck));
            self.explain(verdict, judgement.due.as_ref(), struck);
        }
    }

    /// A firewall that drops in silence looks like a cut to the endpoints: the wire tells where their segments went.
    fn on_the_way(&self, verdict: &mut Verdict) {
        for vanished in self.scenes[0].connection().vanished() {
            let (count, first) = (vanished.count, vanished.first);
            let segments = if count == 1 { "1 segment" } else { &format!("{count} segments") };
            let text = format!("wire: {segments} of {}'s reached {}", vanished.sender, vanished.node);
            verdict.proof.push(format!("{text} and went no further, the first at {first}"));
        }
    }

    fn standing(&self, verdict: &mut Verdict) {
        let rulings = [self.decisions[0].ruling(), self.decisions[1].ruling()];
        let stands = |ruling: &Ruling| matches!(ruling, Ruling::One(Mechanism::Open | Mechanism::HalfOpen));
        let gone = |ruling: &Ruling| matches!(ruling, Ruling::One(Mechanism::HostDown));
        // An endpoint whose story is not known may have ended the connection, in silence.
        let known = rulings.iter().all(|ruling| stands(ruling) || gone(ruling));
        let side = usize::from(!stands(&rulings[0]));
        let ruling = if known { rulings[side] } else { Ruling::Ambiguous };
        self.rule(verdict, &self.decisions[side], ruling);
    }

    fn rule(&self, verdict: &mut Verdict, decision: &Decision, ruling: Ruling) {
        match ruling {
            Ruling::One(mechanism) => {
                verdict.mechanism = mechanism.name().into();
                verdict.firm = decision.firm();
                let clues = decision.judgement(mechanism).map(|j| j.supports.as_slice()).unwrap_or_default();
                verdict.sources = clues.iter().map(|clue| clue.source).collect();
                verdict.sources.sort_unstable();
                verdict.sources.dedup();
                verdict.proof.extend(clues.iter().map(|clue| format!("{}: {}", clue.source.name(), clue.text)));
            }
            Ruling::Ambiguous => verdict.mechanism = AMBIGUOUS.into(),
            Ruling::Unknown => verdict.mechanism = UNKNOWN.into(),
        }
        if !verdict.firm && !self.decisions.iter().any(|own| std::ptr::eq(own, decision)) {
            verdict.doubts.extend(decision.doubts());
        }
    }

    /// The arithmetic, and the timers that would have fired next.
    fn explain(&self, verdict: &mut Verdict, due: Option<&Due>, struck: Moment) {
        let since = due.map_or(struck, |due| due.since);
        if let Some(due) = due {
            let elapsed = struck.since(due.since);
            verdict.since = Some(Since { what: due.what.clone(), at_s: seconds(due.since) });
            verdict.elapsed_s = Some(round(elapsed.seconds()));
            verdict.nominal_s = Some(round(due.nominal.seconds()));
            verdict.lateness_s = Some(round(elapsed.seconds() - due.nominal.seconds()));
            verdict.window_s = Some([round(due.window.0.seconds()), round(due.window.1.seconds())]);
        }
        // By their nominal times, as all were late.
        let fired = due.map_or(struck, |due| due.since.after(due.nominal));
        let mut next: Vec<Next> = Vec::new();
        for (mechanism, judgement) in self.decisions.iter().flat_map(|decision| &decision.judgements) {
            let Some(other) = &judgement.due else { continue };
            let would = other.since.after(other.nominal);
            if mechanism.name() != verdict.mechanism && would > fired {
                let nominal_s = round(would.since(since).seconds());
                match next.iter_mut().find(|next| next.mechanism == mechanism.name()) {
                    Some(known) => known.nominal_s = known.nominal_s.min(nominal_s),
                    None => next.push(Next { mechanism: mechanism.name().into(), nominal_s }),
                }
            }
        }
        next.sort_by(|a, b| a.nominal_s.total_cmp(&b.nominal_s));
        // Timers that one byte has set on both legs are microseconds apart, and which is first is chance: of one instant, by name.
        for tied in next.chunk_by_mut(|a, b| b.nominal_s - a.nominal_s <= scene::INSTANT.seconds()) {
            tied.sort_by(|a, b| a.mechanism.cmp(&b.mechanism));
        }
        if let Some(due) = due {
            let runners: Vec<_> =
                next.iter().map(|next| format!("{} at {} s", next.mechanism, next.nominal_s)).collect();
            let runners = if runners.is_empty() { String::new() } else { format!("; next: {}", runners.join(", ")) };
            let elapsed = round(struck.since(due.since).seconds());
            verdict.proof.insert(0, format!("{elapsed} s = {} after the {}{runners}", due.sum, due.what));
        }
        verdict.next = next;
    }

    /// Whose end a proxy passed on.
    fn chain(&self, verdict: &mut Verdict, scene: &Scene<'_>, what: &str) {
        let Some(other) = scene.other_leg() else { return };
        let cause = Connection::of(Scene { side: 0, ..other }).verdict("");
        let because = format!("{}: {}", cause.name, cause.mechanism);
        verdict.proof.insert(0, format!("{what} because {because}"));
        verdict.because = Some(because);
    }

    /// Whether this endpoint may have died before, in a way that no source at hand would show.
    fn could_be_earlier(&self, side: usize) -> bool {
        let decision = &self.decisions[side];
        let silent =
            |m: &Mechanism| m.entry().scope == Scope::Cause && !matches!(m, Mechanism::Open | Mechanism::HalfOpen);
        let unknown = !matches!(decision.ruling(), Ruling::One(_)) && decision.possible.iter().any(silent);
        unknown || (side == 1 && self.forgot() == Some(None))
    }

    fn endpoint(&self, side: usize) -> EndpointVerdict {
        let (scene, decision) = (&self.scenes[side], &self.decisions[side]);
        let mechanism = match decision.ruling() {
            Ruling::One(mechanism) => mechanism.name(),
            Ruling::Ambiguous => AMBIGUOUS,
            Ruling::Unknown => UNKNOWN,
        };
        let end = scene.end();
        let at = end.map(|end| end.at).or(scene.me().host_down);
        EndpointVerdict {
            node: scene.me().node.clone(),
            mechanism: mechanism.into(),
            saw: saw(scene).into(),
            at_s: at.map(seconds),
            firm: decision.firm(),
            afterwards: self.afterwards(side),
        }
    }

    /// What became of the direction that the peer's FIN had left open, and of the socket after its process had closed it, when that is
    /// no orderly close.
    fn afterwards(&self, side: usize) -> Option<Afterwards> {
        let scene = &self.scenes[side];
        let end = scene.kernel_end().filter(|end| end.way.by_process() || end.way == Way::GotFin)?;
        let past_fin = Scene { past_fin: true, ..*scene };
        // Who closes may send RST behind its FIN (an abort, data for a socket that is gone): that is the same end. Only the wire tells
        // whose RST it is.
        let strangers = scene.model.has(Source::Wire) && !scene.peer().me().sent.iter().any(|seen| seen.flags.rst());
        let cut_off = past_fin.kernel_end().filter(|later| {
            let cuts = if later.way == Way::GotRst { strangers } else { !later.way.by_process() };
            end.way == Way::GotFin && cuts
        });
        let decision = if cut_off.is_some() {
            judged(&past_fin)
        } else {
            let orphans = Mechanism::ALL.iter().copied().filter(|m| m.entry().scope == Scope::Orphan);
            Decision::of(scene, orphans)
        };
        let Ruling::One(mechanism) = decision.ruling() else { return None };
        let judgement = decision.judgement(mechanism)?;
        Some(Afterwards {
            mechanism: mechanism.name().into(),
            at_s: judgement.struck.or(cut_off.map(|later| later.at)).map(seconds),
            nominal_s: judgement.due.as_ref().map(|due| round(due.nominal.seconds())),
            since: judgement.due.as_ref().map(|due| Since { what: due.what.clone(), at_s: seconds(due.since) }),
            firm: decision.firm(),
            proof: judgement.supports.iter().map(|clue| format!("{}: {}", clue.source.name(), clue.text)).collect(),
        })
    }
}

/// The ruling on how an endpoint ended.
fn judged(scene: &Scene<'_>) -> Decision {
    let named = |scope: Scope| scope == Scope::Cause || scope == Scope::Endpoint;
    Decision::of(scene, Mechanism::ALL.iter().copied().filter(|m| named(m.entry().scope)))
}

/// What an endpoint's application got to see of the end.
fn saw(scene: &Scene<'_>) -> &'static str {
    let Some(end) = scene.end() else { return "nothing" };
    // Its kernel has it, and nobody asks for it.
    if !end.way.by_process() && scene.frozen_since().is_some_and(|since| since <= end.at) {
        return "nothing";
    }
    match end.way {
        Way::SentFin | Way::Abandoned => "closed",
        Way::SentRst => "aborted",
        Way::GotFin => "eof",
        Way::GotRst => "reset",
        Way::Destroyed => "ECONNABORTED",
        Way::Died => match scene.fatal_error() {
            Some((_, "EHOSTUNREACH")) => "EHOSTUNREACH",
            Some((_, "ENETUNREACH")) => "ENETUNREACH",
            _ => "ETIMEDOUT",
        },
    }
}

/// What an endpoint put on the wire to end its connection.
fn signal(scene: &Scene<'_>, at: Moment) -> &'static str {
    let mut ends = scene.me().sent.iter().filter(|seen| seen.at.after(scene::INSTANT) >= at);
    // A FIN may be held back behind data, and a process preempted between the end of its socket and the RST for it; a kernel
    // that gave up sends its RST at once or never.
    let held_back = scene.end().is_some_and(|end| end.way.by_process());
    let belongs = |at_wire: Moment| held_back || scene::close(at_wire, at);
    match ends.find(|seen| (seen.flags.fin() || seen.flags.rst()) && belongs(seen.at)) {
        Some(seen) if seen.flags.rst() => "rst",
        Some(_) => "fin",
        None => "none",
    }
}

/// A moment in seconds, to the microsecond.
fn seconds(at: Moment) -> f64 {
    round(at.seconds())
}

fn round(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
