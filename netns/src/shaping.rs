//! Shaping what a wire delivers: netem (tc-netem(8)) at the egress of the fabric's ports.

use nlink::netlink::message::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST};
use nlink::netlink::tc::{NetemConfig, QdiscConfig};
use nlink::netlink::types::tc::{TcMsg, TcaAttr, tc_handle};
use nlink::netlink::{Connection, MessageBuilder, NlMsgType, Route};
use nlink::{Packets, Percent, Rate};

use crate::address::LOOPBACK;
use crate::batch::Batch;
use crate::{Error, Namespace, Shaping};

/// What a kernel needs for shaping.
pub(crate) const OPTION: &str = "CONFIG_NET_SCH_NETEM";

/// As many packets as a shaped wire holds: enough for a second of a gigabit, as a wire has no router's queue to
/// overflow.
const LIMIT: u32 = 100_000;

/// Whether this kernel can shape wires, found by trying in a namespace that is thrown away.
///
/// # Errors
/// When no namespace can be made to try it in, as without root.
pub async fn probe_netem() -> Result<bool, Error> {
    let runtime = tokio::runtime::Handle::current();
    let (_namespace, connection) = Namespace::create_and(move |_| {
        let _entered = runtime.enter();
        Connection::<Route>::new().map_err(|source| Error::netlink("opening a netlink socket", source))
    })
    .await?;
    let shaping = Shaping { delay: Some(std::time::Duration::from_millis(1)), ..Shaping::default() };
    let mut batch = Batch::default();
    batch.push_needing(OPTION, "trying netem on a loopback interface".to_owned(), shape(LOOPBACK, &shaping)?);
    match batch.send(&connection).await {
        Ok(()) => Ok(true),
        Err(Error::KernelOption { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Puts netem at the egress of a port, or changes what is there (sch_netem.c, `netem_change`).
pub(crate) fn shape(port: u32, shaping: &Shaping) -> Result<MessageBuilder, Error> {
    let netem = netem(shaping);
    let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    let mut message = MessageBuilder::new(NlMsgType::RTM_NEWQDISC, flags);
    message.append(&root(port));
    message.append_attr_str(TcaAttr::Kind as u16, netem.kind());
    let options = message.nest_start(TcaAttr::Options as u16);
    netem.write_options(&mut message).map_err(|source| Error::netlink("encoding the shaping of a wire", source))?;
    message.nest_end(options);
    Ok(message)
}

fn root(port: u32) -> TcMsg {
    TcMsg::new().with_ifindex(port.cast_signed()).with_parent(tc_handle::ROOT)
}

fn netem(shaping: &Shaping) -> NetemConfig {
    let percent = |chance: Option<f64>| chance.map_or(Percent::ZERO, Percent::new);
    let mut netem = NetemConfig::new()
        .limit(Packets::new(LIMIT))
        .loss(percent(shaping.loss))
        .duplicate(percent(shaping.duplicate))
        .reorder(percent(shaping.reorder))
        .corrupt(percent(shaping.corrupt));
    if let Some(delay) = shaping.delay {
        netem = netem.delay(delay);
    }
    if let Some(jitter) = shaping.jitter {
        netem = netem.jitter(jitter);
    }
    if let Some(rate) = shaping.rate_bits_per_s {
        netem = netem.rate(Rate::bits_per_sec(rate));
    }
    if let Some(seed) = shaping.seed {
        netem = netem.seed(seed);
    }
    netem
}
