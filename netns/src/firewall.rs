//! What a node that routes does with what passes it: connection tracking in its own namespace, through nftables (nft(8)) and
//! `net.netfilter.nf_conntrack_*` (Documentation/networking/nf_conntrack-sysctl.rst).

use std::os::fd::AsFd;
use std::time::Duration;

use nlink::netlink::nftables::{
    BaseChain, Chain, CtKey, CtState, DynsetExpr, DynsetOp, Expr, Family, FilterHook, LookupExpr, NatHook, Priority,
    RawExpr, Register, Rule, Set, SetKeyType, TcpFlags, Transaction,
};
use nlink::netlink::{Connection, Netfilter, Nftables};

use crate::{Error, Namespace};

/// What a firewall does besides routing. How long it remembers a flow, and whether it takes up one in the middle, are sysctls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// What becomes of a segment that belongs to no flow that it knows.
    pub unknown: Unknown,
    /// A flow without payload for so long is forgotten too, whatever else passes; whole milliseconds.
    pub payload_idle: Option<Duration>,
    /// Whether what it passes on bears its own address as the source.
    pub masquerade: bool,
}

/// What becomes of a segment that belongs to no known flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// It vanishes.
    #[default]
    Drop,
    /// Its sender gets a RST, in the name of the one it was meant for; nobody else is told.
    Reset,
}

/// What every firewall gets unless its own sysctls say otherwise: the kernel's defaults (nf_conntrack_proto_tcp.c, tcp_timeouts).
/// Seconds.
pub(crate) const ALWAYS: &[(&str, &str)] = &[
    ("net.netfilter.nf_conntrack_tcp_loose", "1"),
    ("net.netfilter.nf_conntrack_tcp_be_liberal", "0"),
    ("net.netfilter.nf_conntrack_tcp_max_retrans", "3"),
    ("net.netfilter.nf_conntrack_tcp_timeout_syn_sent", "120"),
    ("net.netfilter.nf_conntrack_tcp_timeout_syn_recv", "60"),
    ("net.netfilter.nf_conntrack_tcp_timeout_established", "432000"),
    ("net.netfilter.nf_conntrack_tcp_timeout_fin_wait", "120"),
    ("net.netfilter.nf_conntrack_tcp_timeout_close_wait", "60"),
    ("net.netfilter.nf_conntrack_tcp_timeout_last_ack", "30"),
    ("net.netfilter.nf_conntrack_tcp_timeout_time_wait", "120"),
    ("net.netfilter.nf_conntrack_tcp_timeout_close", "10"),
    ("net.netfilter.nf_conntrack_tcp_timeout_max_retrans", "300"),
    ("net.netfilter.nf_conntrack_tcp_timeout_unacknowledged", "300"),
];

/// The names that exist only once connection tracking is there.
pub(crate) const SYSCTLS: &str = "net.netfilter.";

/// What a kernel needs for a firewall.
const OPTION: &str = "CONFIG_NF_TABLES_IPV4, CONFIG_NFT_CT, CONFIG_NFT_REJECT or CONFIG_NFT_MASQ";
const TABLE: &str = "whyclosed";
const FORWARD: &str = "forward";
const POSTROUTING: &str = "postrouting";
/// The flows that had payload lately.
const PAYLOAD: &str = "payload";
/// `NFT_PAYLOAD_INNER_HEADER` (include/uapi/linux/netfilter/nf_tables.h): what follows TCP's header.
const INNER_HEADER: u32 = 3;

/// Whether this kernel has what firewalls need, found by trying in a namespace that is thrown away.
///
/// # Errors
/// When no namespace can be made to try it in, as without root.
pub async fn probe_firewall() -> Result<bool, Error> {
    let (namespace, ()) = Namespace::create_and(|_| Ok(())).await?;
    let everything = Firewall { unknown: Unknown::Reset, payload_idle: Some(Duration::from_secs(1)), masquerade: true };
    match install(&namespace, &everything).await {
        Ok(()) => Ok(true),
        Err(Error::KernelOption { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Gives a namespace its rules; connection tracking begins with them.
pub(crate) async fn install(namespace: &Namespace, firewall: &Firewall) -> Result<(), Error> {
    let connection = nftables(namespace)?;
    let rules = rules(connection.transaction(), firewall).map_err(|source| refused("writing the rules", source))?;
    rules.commit(&connection).await.map_err(|source| refused("setting up the firewall's rules", source))
}

/// Lets a namespace forget all flows, and keep its rules.
pub(crate) async fn forget(namespace: &Namespace, firewall: &Firewall) -> Result<(), Error> {
    if firewall.payload_idle.is_some() {
        // What had payload lately is known by its flow, and is forgotten with it.
        let connection = nftables(namespace)?;
        let empty = connection.transaction().del_table(TABLE, Family::Ip);
        let rules = rules(empty, firewall).map_err(|source| refused("writing the rules", source))?;
        rules.commit(&connection).await.map_err(|source| refused("setting up the firewall's rules anew", source))?;
    }
    let doing = "forgetting the firewall's connections";
    let connection = Connection::<Netfilter>::new_in(namespace.as_fd()).map_err(|source| refused(doing, source))?;
    connection.flush_conntrack_all().await.map_err(|source| refused(doing, source))
}

fn nftables(namespace: &Namespace) -> Result<Connection<Nftables>, Error> {
    let connection = Connection::<Nftables>::new_in(namespace.as_fd());
    connection.map_err(|source| refused("reaching nftables in a network namespace", source))
}

/// ```text
/// forward:     [ct state invalid → drop | reset]
///              [tcp syn → the flow is in `payload`] [ct id not in `payload` → drop | reset] [payload → anew in `payload`]
/// postrouting: [masquerade]
/// ```
fn rules(transaction: Transaction, firewall: &Firewall) -> Result<Transaction, nlink::Error> {
    let forward =
        Chain::new(TABLE, FORWARD)?.family(Family::Ip).base(BaseChain::filter(FilterHook::Forward, Priority::Filter));
    let unknown = |rule: Rule| match firewall.unknown {
        Unknown::Drop => rule.drop(),
        Unknown::Reset => rule.reject_tcp_reset(),
    };
    let rule = || Rule::new(TABLE, FORWARD).family(Family::Ip);
    let mut transaction = transaction.add_table(TABLE, Family::Ip).add_chain(forward);
    transaction = transaction.add_rule(unknown(rule().match_ct_state(CtState::INVALID)));
    if firewall.unknown == Unknown::Reset {
        // A RST is never answered by one: what is not TCP, and RSTs, would pass.
        transaction = transaction.add_rule(rule().match_ct_state(CtState::INVALID).drop());
    }
    if let Some(idle) = firewall.payload_idle {
        let flow = Expr::Ct { dreg: Register::R0, key: CtKey::Id };
        let renew = || DynsetExpr::new(DynsetOp::Update, PAYLOAD, Register::R0).timeout(idle);
        let lively = Set::new(TABLE, PAYLOAD).family(Family::Ip).key_type(SetKeyType::Mark).dynamic().timeout(idle);
        let opens = rule().match_tcp_flags(TcpFlags::SYN, TcpFlags::SYN).expr(flow.clone()).expr(Expr::from(renew()));
        let silent = rule().match_l4proto(TCP).expr(flow.clone()).expr(LookupExpr::new(PAYLOAD, Register::R0).invert());
        let speaks = rule().match_l4proto(TCP).expr(first_byte()).expr(flow).expr(Expr::from(renew()));
        transaction =
            transaction.add_set(lively.size(65_536)).add_rule(opens).add_rule(unknown(silent)).add_rule(speaks);
    }
    if firewall.masquerade {
        let postrouting = Chain::new(TABLE, POSTROUTING)?.family(Family::Ip);
        let postrouting = postrouting.base(BaseChain::nat(NatHook::Postrouting, Priority::SrcNat));
        let rule = Rule::new(TABLE, POSTROUTING).family(Family::Ip).masquerade();
        transaction = transaction.add_chain(postrouting).add_rule(rule);
    }
    Ok(transaction)
}

/// TCP's number (IANA).
const TCP: u8 = 6;

/// Loads the first byte of the payload; a segment that has none does not match (nft_payload_eval).
fn first_byte() -> RawExpr {
    // NFTA_PAYLOAD_DREG, _BASE, _OFFSET, _LEN: each an attribute of 8 bytes, the number in network byte order.
    let numbers = [Register::R1.wire(), INNER_HEADER, 0, 1];
    let attribute = |(index, number): (usize, u32)| {
        let kind = u16::try_from(index + 1).unwrap_or_default();
        [&8_u16.to_ne_bytes()[..], &kind.to_ne_bytes(), &number.to_be_bytes()].concat()
    };
    RawExpr::new("payload", numbers.into_iter().enumerate().flat_map(attribute).collect())
}

fn refused(doing: &str, source: nlink::Error) -> Error {
    match source.errno() {
        Some(nix::libc::ENOENT | nix::libc::EOPNOTSUPP | nix::libc::EPROTONOSUPPORT) => {
            Error::KernelOption { doing: doing.to_owned(), option: OPTION }
        }
        _ => Error::netlink(doing, source),
    }
}
