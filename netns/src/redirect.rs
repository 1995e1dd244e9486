//! Joining the two ports of a wire: whatever comes in at one goes out at the other (tc-mirred(8)).
//!
//! `u32` with one key that matches everything stands in for `matchall`, which not every kernel has.

use nlink::netlink::action::{ActionConfig, MirredAction};
use nlink::netlink::types::tc::action::{TCA_ACT_KIND, TCA_ACT_OPTIONS};
use nlink::netlink::types::tc::filter::u32::{TCA_U32_ACT, TCA_U32_SEL, TcU32Key, TcU32Sel};
use nlink::netlink::types::tc::{TcMsg, TcaAttr, tc_handle};
use nlink::netlink::{MessageBuilder, NlMsgType};

use crate::Error;
use crate::batch::{change, create};

/// What a kernel needs for the ingress qdisc.
pub(crate) const INGRESS_OPTION: &str = "CONFIG_NET_SCH_INGRESS";
/// What a kernel needs for the redirect.
pub(crate) const REDIRECT_OPTION: &str = "CONFIG_NET_CLS_U32, CONFIG_NET_CLS_ACT or CONFIG_NET_ACT_MIRRED";

/// The handle of the ingress qdisc, `ffff:`, which its filters have as their parent.
const INGRESS: u32 = tc_handle::make(0xFFFF, 0);
/// The priority of the one filter, by which it is deleted.
const PRIORITY: u16 = 1;
/// `ETH_P_ALL`: frames of all protocols.
const ALL_PROTOCOLS: u16 = nix::libc::ETH_P_ALL as u16;

/// Gives a port the ingress qdisc that a redirect needs.
pub(crate) fn ingress(port: u32) -> MessageBuilder {
    let header = TcMsg::new().with_ifindex(port.cast_signed()).with_parent(tc_handle::INGRESS).with_handle(INGRESS);
    let mut message = create(NlMsgType::RTM_NEWQDISC);
    message.append(&header);
    message.append_attr_str(TcaAttr::Kind as u16, "ingress");
    message
}

/// Sends every frame that comes in at port `from` out of port `to`.
pub(crate) fn join(from: u32, to: u32) -> Result<MessageBuilder, Error> {
    let encoding = |source| Error::netlink("encoding a redirect", source);
    let action = MirredAction::redirect_to_egress(to);
    let mut message = create(NlMsgType::RTM_NEWTFILTER);
    message.append(&filter_header(from));
    message.append_attr_str(TcaAttr::Kind as u16, "u32");
    let options = message.nest_start(TcaAttr::Options as u16);
    message.append_attr(TCA_U32_SEL, &match_everything().to_bytes());
    let actions = message.nest_start(TCA_U32_ACT);
    let first = message.nest_start(1);
    message.append_attr_str(TCA_ACT_KIND, action.kind());
    let action_options = message.nest_start(TCA_ACT_OPTIONS);
    action.write_options(&mut message).map_err(encoding)?;
    message.nest_end(action_options);
    message.nest_end(first);
    message.nest_end(actions);
    message.nest_end(options);
    Ok(message)
}

/// Ends the redirect of what comes in at a port. Frames then go up to the fabric's own stack, which drops them: they
/// are not for its MAC address, it has no IP address, and it does not forward.
pub(crate) fn part(from: u32) -> MessageBuilder {
    let mut message = change(NlMsgType::RTM_DELTFILTER);
    message.append(&filter_header(from));
    message.append_attr_str(TcaAttr::Kind as u16, "u32");
    message
}

fn filter_header(port: u32) -> TcMsg {
    TcMsg::new().with_ifindex(port.cast_signed()).with_parent(INGRESS).with_filter_info(ALL_PROTOCOLS, PRIORITY)
}

fn match_everything() -> TcU32Sel {
    let mut selector = TcU32Sel::new();
    selector.set_terminal();
    selector.add_key(TcU32Key::new(0, 0, 0));
    selector
}
