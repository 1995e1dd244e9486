//! The verdict: which mechanism closed each connection, and when. A pure function of evidence.
//!
//! ```text
//! translations.rs what firewalls do to addresses, undone
//! model.rs        facts → connections with two endpoints
//! join.rs         the two legs of a proxy's session
//! attempts.rs     its attempts to connect that failed
//! scene.rs        one endpoint as a rule sees it
//! protocol.rs     what programs said to each other, and why they ended it
//! ending.rs       how an endpoint ended, by each source
//! half_closed.rs  a leg that outlives a FIN
//! mechanisms/     the catalogue: one rule a file
//! decide.rs       what the rules say → one ruling
//! connection.rs   the rulings of both endpoints → the connection's verdict
//! way.rs          what firewalls between the endpoints did
//! verdicts.rs     what a verdict says
//! ```

mod attempts;
mod connection;
mod decide;
mod ending;
mod half_closed;
mod join;
mod links;
pub mod mechanisms;
mod model;
mod protocol;
mod scene;
mod translations;
mod verdicts;
mod way;

pub use translations::undone;
pub use verdicts::{AMBIGUOUS, Checks, EndpointVerdict, Next, Since, UNKNOWN, Verdict, Verdicts};

use self::connection::Connection;
use self::join::Joins;
use self::model::Model;
use self::scene::Scene;
use crate::evidence::{Event, Role};

/// Judges evidence.
#[must_use]
pub fn judge(events: &[Event]) -> Verdicts {
    let model = Model::of(&translations::undone(events));
    let joins = Joins::of(&model);
    let mut order: Vec<usize> = (0..model.connections.len()).filter(|index| !joins.is_check(*index)).collect();
    let label = |index: usize| label(&model, &joins, index);
    order.sort_by_key(|index| {
        let second =
            joins.other_leg(*index).is_some() && model.connections[*index].endpoints[0].role == Some(Role::Proxy);
        (label(*index), second, model.connections[*index].began)
    });
    let mut connections = Vec::new();
    let mut sessions: Vec<usize> = Vec::new();
    for index in order {
        let scene = Scene { model: &model, joins: &joins, connection: index, side: 0, past_fin: false };
        let mut verdict = Connection::of(scene).verdict(&label(index));
        if let Some(client) = joins.session(index) {
            let number = sessions.iter().position(|session| *session == client).unwrap_or_else(|| {
                sessions.push(client);
                sessions.len() - 1
            });
            verdict.session = Some(u32::try_from(number + 1).unwrap_or(u32::MAX));
        }
        if joins.ambiguous.contains(&index) {
            verdict.firm = false;
            verdict.doubts.push("the proxy could have joined it to more than one connection".into());
        }
        if !model.gaps.is_empty() {
            verdict.firm = false;
            verdict.doubts.extend(model.gaps.iter().map(|gap| format!("not everything was seen: {gap}")));
        }
        connections.push(verdict);
    }
    Verdicts { connections, checks: checks(&model, &joins), gaps: model.gaps.clone() }
}

/// The client that a connection, or its session, belongs to: `orders`, or `orders#3` when it has several.
fn label(model: &Model, joins: &Joins, index: usize) -> String {
    let of = |index: usize| {
        let opener = &model.connections[index].endpoints[0];
        if opener.role == Some(Role::Proxy) { None } else { opener.program.clone() }
    };
    let own = of(index).map(|name| (name, index));
    let Some((name, leg)) = own.or_else(|| joins.other_leg(index).and_then(|leg| of(leg).map(|name| (name, leg))))
    else {
        return String::new();
    };
    let mut same: Vec<usize> = (0..model.connections.len()).filter(|i| of(*i).as_ref() == Some(&name)).collect();
    if same.len() < 2 {
        return name;
    }
    same.sort_by_key(|i| (model.connections[*i].endpoints[0].number, model.connections[*i].began));
    let number = same.iter().position(|i| *i == leg).unwrap_or_default() + 1;
    format!("{name}#{number:0width$}", width = same.len().to_string().len())
}

fn checks(model: &Model, joins: &Joins) -> Vec<Checks> {
    let mut checks: Vec<Checks> = Vec::new();
    for index in (0..model.connections.len()).filter(|index| joins.is_check(*index)) {
        let [from, to] = &model.connections[index].endpoints;
        let name = format!("{}->{}", from.node, to.node);
        let failed = u32::from(!to.sent.iter().any(|seen| seen.flags.syn()));
        match checks.iter_mut().find(|check| check.name == name) {
            Some(check) => {
                check.count += 1;
                check.failed += failed;
            }
            None => checks.push(Checks { name, count: 1, failed }),
        }
    }
    checks.sort_by(|a, b| a.name.cmp(&b.name));
    checks
}
