//! What a case needs of a machine, as far as its scenario tells: for `whyclosed list`, before anything is tried.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::Case;
use crate::clients::Way;
use crate::verbs::SHAPE;

/// What a case needs on each clock, and how long its timeline is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Programs and images, on either clock: `haproxy`, `image rabbitmq:3`.
    pub programs: BTreeSet<String>,
    /// What the machine's own kernel must have on the real clock, besides root; the guest's has all.
    pub kernel: Vec<&'static str>,
    /// How long the timeline takes at least, on the case's clock.
    pub least: Duration,
    /// How long it takes at most: when each `wait` waits to its end.
    pub most: Duration,
}

/// Says what a case needs.
#[must_use]
pub fn of(case: &Case) -> Needs {
    let mut needs = Needs::default();
    for service in &case.services {
        match service.kind.image() {
            Ok(None) => needs.programs.extend(program(service.kind.place(&case.directory, &service.env))),
            Ok(Some(image)) if image.folder.is_some() => drop(needs.programs.insert(format!("folder {}", image.name))),
            Ok(Some(image)) => drop(needs.programs.insert(format!("image {} (Docker)", image.name))),
            // Whoever runs it gets the reason.
            Err(_) => {}
        }
    }
    for client in &case.clients {
        needs.programs.extend(program(client.kind.place(client, &Way::nowhere(&case.directory))));
    }
    if case.wires.iter().any(|wire| !wire.quality.is_none()) || case.timeline.iter().any(|step| step.verb == SHAPE) {
        needs.kernel.push("netem");
    }
    if case.nodes.iter().any(|node| node.firewall.is_some()) {
        needs.kernel.push("nftables");
    }
    for step in &case.timeline {
        let [least, most] = step.kind.lasts();
        needs.least = needs.least.saturating_add(least);
        needs.most = needs.most.saturating_add(most);
    }
    needs
}

/// The program that is started, if it is another than this one.
fn program(place: std::io::Result<crate::lab::enter::Place>) -> Option<String> {
    place.ok()?.argv.into_iter().next().filter(|program| !program.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Vocabulary;
    use crate::scenario::parse;

    fn needs(keys: &str) -> Needs {
        let source = format!("title: t\nnodes: {{ client: {{}}, server: {{}} }}\n{keys}\n");
        let cases = parse::<Vocabulary>("t.yaml", &source, "t", std::path::Path::new("."));
        of(&cases.unwrap_or_else(|errors| panic!("{errors}"))[0])
    }

    #[test]
    fn a_timeline_lasts_from_its_idle_periods_to_the_ends_of_its_waits() {
        let needs = needs("timeline: [ idle: 2s, wait: { until: closed, at most: 10s }, idle: 500ms ]");
        assert_eq!((needs.least, needs.most), (Duration::from_millis(2500), Duration::from_millis(12500)));
    }

    #[test]
    fn programs_of_the_machine_and_images_are_named_once_and_the_own_ones_are_not() {
        let needs = needs(
            "services:
  own: { node: server, server: echo, port: 7 }
  one: { node: server, command: [sleep, \"1\"] }
  two: { node: server, command: [sleep, \"2\"] }
  rabbit: { node: client, broker: rabbitmq, image: rabbitmq:4 }
timeline: [ idle: 1s ]",
        );
        assert_eq!(needs.programs.into_iter().collect::<Vec<_>>(), ["image rabbitmq:4 (Docker)", "sleep"]);
    }

    #[test]
    fn a_wire_that_delays_needs_netem_and_a_firewall_needs_nftables() {
        assert_eq!(needs("timeline: [ idle: 1s ]").kernel, Vec::<&str>::new());
        let wires = "wires: { cable: { ends: [client, server], delay: 5ms } }";
        assert_eq!(needs(&format!("{wires}\ntimeline: [ idle: 1s ]")).kernel, ["netem"]);
        let shapes = "wires: { cable: { ends: [client, server] } }\ntimeline: [ shape: { wire: cable, loss: 1% } ]";
        assert_eq!(needs(shapes).kernel, ["netem"]);
    }
}
