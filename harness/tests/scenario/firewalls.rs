//! Nodes that are firewalls, and the models of boxes.

use std::time::Duration;

use whyclosed::scenario::{Firewall, MODELS, Unknown, duration_text};

use crate::words::{only, read};

/// What a node's `firewall` becomes.
fn firewall(keys: &str) -> Firewall {
    let case = only(&format!("title: t\nnodes: {{ fw: {{ firewall: {keys} }} }}\ntimeline: [ idle: 1s ]\n"));
    case.nodes[0].firewall.clone().expect("the node is a firewall")
}

/// A client and its server, with a node between them that has these keys.
fn through(keys: &str) -> String {
    format!(
        "title: t
nodes: {{ client: {{}}, between: {{ {keys} }}, server: {{}} }}
wires:
  near: {{ ends: [client, between] }}
  far: {{ ends: [between, server] }}
clients:
  orders: {{ node: client, connect: 'server:7', protocol: tcp }}
timeline: [ idle: 1s ]
"
    )
}

#[test]
fn a_firewall_without_keys_forgets_as_linux_does() {
    let firewall = firewall("{}");
    assert_eq!(firewall.idle, Duration::from_hours(120));
    assert_eq!((firewall.unknown, firewall.loose), (Unknown::Drop, true));
}

#[test]
fn a_model_has_the_values_that_are_published_and_own_keys_win_over_them() {
    let nlb = firewall("{ model: aws-nlb, unknown: drop }");
    assert_eq!(nlb.idle, Duration::from_secs(350));
    assert_eq!((nlb.unknown, nlb.loose), (Unknown::Drop, false));
}

#[test]
fn a_client_reaches_its_target_through_a_firewall_and_through_no_other_node() {
    assert!(read(&through("firewall: {}")).is_ok());
    let errors = read(&through("")).expect_err("nothing forwards");
    assert!(errors.to_string().contains("no wire joins `client` and `server`"), "{errors}");
}

#[test]
fn every_model_is_in_the_documentation_with_its_value() {
    let documentation = include_str!("../../../docs/firewalls.md");
    for model in MODELS {
        let times = [model.idle, model.payload_idle];
        for time in times.into_iter().flatten() {
            let cells = [format!("| `{}` |", model.name), format!("| {} |", duration_text(time))];
            let line = documentation.lines().find(|line| line.starts_with(&cells[0])).unwrap_or_default();
            assert!(line.contains(&cells[1]), "{}: {line}", model.name);
        }
    }
}
