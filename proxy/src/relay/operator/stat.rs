//! `show stat`: counters of frontends, servers and backends, as a table with HAProxy's columns (management guide, 9.1; `src/stats.c`).
//! What there is not, or is not counted, is an empty field.

use std::fmt::Write as _;

use super::command::{Answer, Command, View};
use crate::config::StatsLevel;
use crate::relay::backend::Backend;
use crate::relay::check::Check;
use crate::relay::counters::Counters;
use crate::relay::frontend::Frontend;
use crate::relay::moment::Moment;
use crate::relay::server::{SCALE as FULL, Server, State};
use crate::relay::session::{Session, Side};

pub(super) const COMMANDS: &[Command] = &[Command {
    words: "show stat",
    takes: "[{<iid>|<proxy>} <type> <sid>]",
    about: "report counters for each proxy and server",
    least: StatsLevel::User,
    answer: show,
}];

/// The columns of HAProxy 2.6.12 that are there in every build.
const COLUMNS: &str = "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,\
    act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,check_status,\
    check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,\
    cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,rtime,ttime,agent_status,agent_code,\
    agent_duration,check_desc,agent_desc,check_rise,check_fall,check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,\
    conn_rate,conn_rate_max,conn_tot,intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,\
    ctime_max,rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,\
    agg_server_check_status,agg_check_status,-";

/// What a row is about, as the column `type` has it and a command names it by the sum of their powers of two.
const FRONTEND: u32 = 0;
const BACKEND: u32 = 1;
const SERVER: u32 = 2;

/// A row's fields by their columns.
struct Row(Vec<(&'static str, String)>);

impl Row {
    fn new(proxy: &str, number: u32, name: &str, kind: u32, own_number: u32) -> Row {
        let mut row = Row(Vec::new());
        row.put("pxname", proxy).put("svname", name).put("mode", "tcp").put("pid", 1);
        row.put("iid", number).put("sid", own_number).put("type", kind);
        row
    }

    fn put(&mut self, column: &'static str, value: impl ToString) -> &mut Row {
        self.0.push((column, value.to_string()));
        self
    }

    fn counters(&mut self, counters: &Counters, (more_in, more_out): (u64, u64)) -> &mut Row {
        self.put("smax", counters.most).put("stot", counters.total);
        self.put("bin", counters.bytes_in + more_in).put("bout", counters.bytes_out + more_out)
    }

    /// What only those have that go to servers.
    fn attempts(&mut self, counters: &Counters) -> &mut Row {
        self.put("econ", counters.failed).put("wretr", counters.retries).put("wredis", counters.redispatches);
        self.put("lbtot", counters.chosen)
    }

    fn write(&self, text: &mut String) {
        for column in COLUMNS.split(',') {
            let field = self.0.iter().find(|(name, _)| *name == column).map(|(_, value)| value.as_str());
            text.push_str(&quoted(if column == "-" { "-" } else { field.unwrap_or_default() }));
            text.push(',');
        }
        text.push('\n');
    }
}

/// A field with a comma or a quote stands between quotes (RFC 4180, 2).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

fn show(view: &View<'_>, words: &[&str]) -> Answer {
    let only = match words {
        [] => None,
        [proxy, kinds, number] => {
            let (Ok(kinds), Ok(number)) = (kinds.parse::<i64>(), number.parse::<i64>()) else {
                return "Three numbers are expected: <iid> <type> <sid>.\n".into();
            };
            Some((*proxy, kinds, number))
        }
        _ => return "`show stat` takes no words here, or a proxy, a type and a server: only CSV is written.\n".into(),
    };
    let wanted = |name: &str, iid: u32, kind: u32, sid: u32| {
        only.is_none_or(|(proxy, kinds, number)| {
            (proxy == name || proxy == "-1" || proxy == iid.to_string())
                && (kinds == -1 || kinds & (1 << kind) != 0)
                && (number == -1 || number == i64::from(sid))
        })
    };
    let mut rows: Vec<(u32, u32, Row)> = Vec::new();
    for (place, one) in view.frontends.iter().enumerate() {
        if wanted(&one.name, one.number, FRONTEND, 0) {
            rows.push((one.number, 0, frontend(view, place, one)));
        }
    }
    for (place, one) in view.backends.iter().enumerate().filter(|(_, one)| !one.stands_in) {
        for (server, its) in one.servers.iter().enumerate() {
            if wanted(&one.name, one.number, SERVER, its.number) {
                rows.push((one.number, 1, server_row(view, (place, server), one, its)));
            }
        }
        if wanted(&one.name, one.number, BACKEND, 0) {
            rows.push((one.number, 2, backend(view, place, one)));
        }
    }
    // A `listen` section's rows follow one another.
    rows.sort_by_key(|(number, kind, _)| (*number, *kind));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# {COLUMNS},");
    rows.iter().for_each(|(.., row)| row.write(&mut text));
    Answer::Text(text)
}

/// Bytes of sessions that go on, from clients and from servers.
fn passing(view: &View<'_>, which: impl Fn(&Session) -> bool) -> (u64, u64) {
    let sessions = view.sessions.iter().map(|(_, session)| session).filter(|session| which(session));
    sessions.fold((0, 0), |(up, down), session| {
        (up + session.flow(Side::Client).total, down + session.flow(Side::Server).total)
    })
}

fn frontend(view: &View<'_>, place: usize, one: &Frontend) -> Row {
    let mut row = Row::new(&one.name, one.number, "FRONTEND", FRONTEND, 0);
    row.put("scur", one.sessions).put("slim", one.maxconn).put("conn_tot", one.counters.total);
    row.put("status", if view.process.stopping { "STOP" } else { "OPEN" });
    row.counters(&one.counters, passing(view, |session| session.story.frontend == place));
    row
}

fn backend(view: &View<'_>, place: usize, one: &Backend) -> Row {
    let mut row = Row::new(&one.name, one.number, "BACKEND", BACKEND, 0);
    let (active, standing_by) = (one.active(), one.standing_by());
    let up = active + standing_by > 0 || one.servers.is_empty();
    row.put("qcur", one.queued()).put("qmax", one.counters.most_queued).put("scur", one.sessions);
    row.put("slim", one.fullconn).put("status", if up { "UP" } else { "DOWN" });
    row.put("act", active).put("bck", standing_by).put("algo", one.balance.name());
    row.put("weight", one.weight()).put("uweight", one.weight());
    row.counters(&one.counters, passing(view, |session| session.story.backend == place)).attempts(&one.counters);
    row
}

fn server_row(view: &View<'_>, place: (usize, usize), backend: &Backend, one: &Server) -> Row {
    let mut row = Row::new(&backend.name, backend.number, &one.name, SERVER, one.number);
    let on_it = |session: &Session| session.story.backend == place.0 && session.story.server == Some(place.1);
    let check = view.checks.iter().find(|check| (check.backend, check.server) == place);
    row.put("scur", one.current)
        .put("status", status(one, check))
        .put("addr", one.address)
        .put("lastchg", seconds(one.changed, view.now));
    row.put("weight", one.share().div_ceil(FULL)).put("uweight", one.weight);
    row.put("act", u8::from(!one.backup)).put("bck", u8::from(one.backup));
    row.counters(&one.counters, passing(view, on_it)).attempts(&one.counters).put("connect", one.counters.total);
    row.put("qcur", one.queue.len()).put("qmax", one.counters.most_queued);
    for (column, value) in [("slim", one.maxconn), ("qlimit", one.maxqueue)] {
        if let Some(value) = value {
            row.put(column, value);
        }
    }
    if one.starts() && one.state == State::Ready {
        row.put("throttle", one.throttle());
    }
    if one.reactions.observe_layer4 {
        row.put("hanafail", one.counters.failed_by_sessions);
    }
    if let Some(check) = check {
        row.put("chkfail", one.counters.failed_checks).put("chkdown", one.counters.downs);
        if one.state != State::Maintenance {
            checked(&mut row, one, check);
        }
    }
    row
}

fn checked(row: &mut Row, one: &Server, check: &Check) {
    let (rise, fall, count) = one.health.counts();
    row.put("check_rise", rise).put("check_fall", fall).put("check_health", count);
    let Some(last) = check.last else { return };
    let mark = if check.is_under_way() { "* " } else { "" };
    row.put("check_status", format!("{mark}{}", last.code()));
    if let Some(took) = last.took {
        row.put("check_duration", took.as_millis());
    }
    row.put("check_desc", last.description()).put("last_chk", last.info().unwrap_or_default());
}

fn seconds(since: Moment, now: Moment) -> u64 {
    now.since(since).as_secs()
}

/// `srv_hlt_st` in `src/stats.c`.
fn status(server: &Server, check: Option<&Check>) -> String {
    let health = server.health;
    let (have, of) = health.progress();
    let state = match (server.state, health.is_up()) {
        (State::Maintenance, _) => return "MAINT".into(),
        (State::Drain, true) => "DRAIN",
        (State::Ready, true) if check.is_none() => return "no check".into(),
        (State::Ready, true) => "UP",
        (_, false) => "DOWN",
    };
    if check.is_some() && health.is_changing() { format!("{state} {have}/{of}") } else { state.into() }
}
