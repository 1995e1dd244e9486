//! whyclosed: which mechanism closed each TCP connection, and when.
//!
//! Data goes one way, and a module knows only what stands before it:
//!
//! ```text
//! scenario   YAML → cases (what to build, what to do, what to expect)
//! lab        a case → namespaces, wires, running programs
//! verbs      the timeline, step by step
//! evidence   facts from wire, kernel, settings, logs, timeline: ordered, numbered, lossless
//! verdict    facts → mechanisms, a pure function; the scenario is not among its arguments
//! expect     verdicts against the author's claim
//! report     results.json, the table, the page and other reports
//! ```
//!
//! A case is played on one of two clocks: this machine's (`run::stage`), or a guest kernel's (`guest`, with the kernel that
//! `kernel` builds and finds), where the same program plays it as process 1.
//!
//! Beside them: `actors` (the programs that the lab runs), `clients` and `services` (what a scenario can name), `needs` (what a case
//! needs, before it is tried), `lints` (traps in a scenario's text), `wheel` (the kernel's timers, pure), `play` (one case from
//! build to teardown), `run` (many), `kernel` (that of the virtual clock), `cli`, and `testing`, for other crates' tests.

pub mod actors;
mod chance;
mod claim;
pub mod cli;
pub mod clients;
mod clock;
pub mod evidence;
pub mod expect;
pub mod guest;
pub mod kernel;
pub mod lab;
pub mod lints;
mod needs;
pub mod play;
pub mod progress;
pub mod report;
pub mod run;
pub mod scenario;
pub mod services;
pub mod testing;
pub mod verbs;
pub mod verdict;
pub mod wheel;

use std::sync::Arc;

/// What a scenario of this program can say.
#[derive(Clone, Debug)]
pub struct Vocabulary;

impl scenario::Words for Vocabulary {
    type Step = Arc<dyn verbs::Verb>;
    type Service = Arc<dyn services::Kind>;
    type Client = Arc<dyn clients::Protocol>;

    const STEPS: &'static [scenario::Word<Self::Step>] = verbs::STEPS;
    const SERVICES: &'static [scenario::ServiceWord<Self::Service>] = services::SERVICES;
    const PROTOCOLS: &'static [scenario::Word<Self::Client>] = clients::PROTOCOLS;
    const MECHANISMS: &'static [&'static str] = &verdict::mechanisms::NAMES;

    fn objection(
        step: &Self::Step,
        services: &[scenario::Service<Self::Service>],
        clients: &[scenario::Client<Self::Client>],
    ) -> Option<(String, String)> {
        let (name, what) = step.order()?;
        if let Some(service) = services.iter().find(|service| service.name.as_str() == name) {
            let help = service.kind.refuses(what)?;
            return Some((
                format!("service `{name}` cannot do that: it is `{}`", service.kind.name()),
                help.to_string(),
            ));
        }
        let client = clients.iter().find(|client| client.name.as_str() == name)?;
        let help = client.kind.refuses(what)?;
        Some((format!("client `{name}` cannot do that: it is `protocol: {}`", client.kind.name()), help.to_string()))
    }
}

/// One case of a scenario.
pub type Case = scenario::Case<Vocabulary>;
