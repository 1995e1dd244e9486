//! Rules about clients: who is taken (manual, 4.2 `tcp-request connection` and `tcp-request session`).

use super::arguments::Arguments;
use super::{Acl, Condition, Ends, Position, Proxy};

/// What is done with a client that a rule's condition holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What is done.
    pub action: Action,
    /// What must hold for that; `None` if nothing must.
    pub condition: Option<Condition>,
    /// Where it is.
    pub position: Position,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The client is taken, whatever the rules behind this one say.
    Accept,
    /// It is not.
    Reject,
    /// It says first whom it speaks for, by the PROXY protocol (`expect-proxy layer4`).
    ExpectProxy,
}

/// What rules have decided about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decision {
    /// It is not taken.
    pub rejected: bool,
    /// It says first whom it speaks for.
    pub expects_proxy: bool,
}

/// Follows rules in their order, until one decides.
#[must_use]
pub fn decide(rules: &[Rule], acls: &[Acl], ends: Ends) -> Decision {
    let mut decision = Decision::default();
    for rule in rules {
        if rule.condition.as_ref().is_some_and(|condition| !condition.holds(acls, ends)) {
            continue;
        }
        match rule.action {
            Action::Accept => break,
            Action::Reject => {
                decision.rejected = true;
                break;
            }
            Action::ExpectProxy => decision.expects_proxy = true,
        }
    }
    decision
}

/// Reads what stands behind `tcp-request connection` and the like; `actions` are those that can stand there.
pub(super) fn read_rule(proxy: &mut Proxy, arguments: &mut Arguments<'_>, actions: &[(&str, Action)]) -> Option<Rule> {
    let word = arguments.required("what is done")?;
    let Some((_, action)) = actions.iter().find(|(name, _)| *name == word.text) else {
        let names: Vec<&str> = actions.iter().map(|(name, _)| *name).collect();
        let listed = super::arguments::listed(&names);
        arguments.unsupported(word, format!("`{}` is not implemented: what can be done is {listed}", word.text));
        arguments.rest();
        return None;
    };
    if *action == Action::ExpectProxy {
        arguments.one_of(&[("layer4", ())])?;
    }
    let condition = Condition::read(proxy, arguments);
    Some(Rule { action: *action, condition, position: word.position.clone() })
}
