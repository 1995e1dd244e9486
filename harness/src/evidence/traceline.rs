//! One line of the kernel's trace, as text.

use std::net::SocketAddrV4;

use super::{Context, Fact, Pair, TcpState};

/// One line of `trace_pipe`: `comm-pid [cpu] flags seconds.micros: event: key=value …`.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    pub comm: &'a str,
    pub pid: i32,
    softirq: bool,
    pub at_ns: i64,
    pub name: &'a str,
    pub rest: &'a str,
}

impl<'a> Line<'a> {
    pub fn parse(line: &'a str) -> Option<Line<'a>> {
        // A command name may hold anything; the first ` [ddd] ` after it is the processor.
        let open = line.find(" [")?;
        let (task, rest) = (line[..open].trim(), &line[open + 2..]);
        let (comm, pid) = task.rsplit_once('-')?;
        let (_, rest) = rest.split_once("] ")?;
        let (flags, rest) = rest.trim_start().split_once(' ')?;
        let (time, rest) = rest.trim_start().split_once(": ")?;
        let (name, rest) = rest.split_once(": ")?;
        let (seconds, fraction) = time.split_once('.')?;
        let fraction_ns = format!("{fraction:0<9}").get(..9)?.parse::<i64>().ok()?;
        Some(Line {
            comm,
            pid: pid.parse().ok()?,
            // The third flag: `.` is a process, `s` a softirq, `h`/`H` an interrupt (Documentation/trace/ftrace.rst).
            softirq: flags.chars().nth(2) != Some('.'),
            at_ns: seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)? + fraction_ns,
            name,
            rest,
        })
    }

    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.rest.split(' ').find_map(|field| field.strip_prefix(key)?.strip_prefix('='))
    }

    pub fn pair(&self) -> Option<Pair> {
        if let (Some(local), Some(remote)) = (self.text("src"), self.text("dest")) {
            return Some(Pair { local: local.parse().ok()?, remote: remote.parse().ok()? });
        }
        if self.text("protocol").is_some_and(|protocol| protocol != "IPPROTO_TCP") {
            return None;
        }
        let end = |address: &str, port: &str| {
            Some(SocketAddrV4::new(self.text(address)?.parse().ok()?, self.text(port)?.parse().ok()?))
        };
        Some(Pair { local: end("saddr", "sport")?, remote: end("daddr", "dport")? })
    }

    pub fn fact(&self, node: String, pair: Pair) -> Option<Fact> {
        Some(match self.name {
            "inet_sock_set_state" => Fact::State {
                node,
                pair,
                old: state(self.text("oldstate")?)?,
                new: state(self.text("newstate")?)?,
                context: if self.softirq {
                    Context::Softirq
                } else {
                    Context::Process { comm: self.comm.into(), pid: self.pid }
                },
            },
            "inet_sk_error_report" => {
                // 0 is none: a message was put into the socket's queue of errors (ip_icmp_error()), where nobody may look.
                let raw = self.text("error")?.parse().ok().filter(|raw| *raw != 0)?;
                let errno = nix::errno::Errno::from_raw(raw);
                Fact::SocketError { node, pair, errno: format!("{errno:?}") }
            }
            "tcp_send_reset" => Fact::ResetSent {
                node,
                pair,
                state: self.text("state").and_then(state),
                reason: self.text("reason").map(Into::into),
            },
            "tcp_receive_reset" => Fact::ResetReceived { node, pair },
            "tcp_retransmit_skb" => Fact::Retransmit { node, pair },
            _ => return None,
        })
    }
}

/// A state by the kernel's name for it.
fn state(name: &str) -> Option<TcpState> {
    Some(match name {
        "TCP_ESTABLISHED" => TcpState::Established,
        "TCP_SYN_SENT" => TcpState::SynSent,
        "TCP_SYN_RECV" => TcpState::SynRecv,
        "TCP_FIN_WAIT1" => TcpState::FinWait1,
        "TCP_FIN_WAIT2" => TcpState::FinWait2,
        "TCP_TIME_WAIT" => TcpState::TimeWait,
        "TCP_CLOSE" => TcpState::Close,
        "TCP_CLOSE_WAIT" => TcpState::CloseWait,
        "TCP_LAST_ACK" => TcpState::LastAck,
        "TCP_LISTEN" => TcpState::Listen,
        "TCP_CLOSING" => TcpState::Closing,
        "TCP_NEW_SYN_RECV" => TcpState::NewSynRecv,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSE: &str = "     my app-1-4711    [001] ..s2.  1234.567891: inet_sock_set_state: family=AF_INET protocol=IPPROTO_TCP sport=5672 dport=32770 saddr=10.0.0.2 daddr=10.0.0.1 saddrv6=::ffff:10.0.0.2 daddrv6=::ffff:10.0.0.1 oldstate=TCP_ESTABLISHED newstate=TCP_CLOSE_WAIT";

    #[test]
    fn a_command_name_with_spaces_and_dashes_is_read_whole() {
        let line = Line::parse(CLOSE).expect("a line of the trace");
        assert_eq!((line.comm, line.pid), ("my app-1", 4711));
    }

    #[test]
    fn a_softirq_is_not_taken_for_the_process_it_interrupted() {
        let line = Line::parse(CLOSE).expect("a line of the trace");
        assert!(line.softirq);
        let own = CLOSE.replace("..s2.", "...1.");
        assert!(!Line::parse(&own).expect("a line of the trace").softirq);
    }

    #[test]
    fn microseconds_become_nanoseconds() {
        assert_eq!(Line::parse(CLOSE).expect("a line of the trace").at_ns, 1_234_567_891_000);
    }

    #[test]
    fn a_reset_without_a_socket_has_a_reason_and_no_state() {
        let text = "  <idle>-0  [000] b.s2. 5.000001: tcp_send_reset: skbaddr=00000000 skaddr=00000000 src=10.0.0.2:5672 dest=10.0.0.1:32770 state=UNKNOWN reason=NO_SOCKET";
        let line = Line::parse(text).expect("a line of the trace");
        let pair = line.pair().expect("two addresses");
        let fact = line.fact("s1".into(), pair).expect("a fact");
        assert_eq!(fact, Fact::ResetSent { node: "s1".into(), pair, state: None, reason: Some("NO_SOCKET".into()) });
    }
}
