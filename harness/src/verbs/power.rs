//! `power-off` and `reboot`: a host dies and comes back.
//!
//! On the wire: nothing at all. Its wires are cut first, so that no FIN or RST of a dying process gets out; then its processes
//! are killed and its kernel (the namespace) is closed. `reboot` brings back the same address and MAC, without connections.

use std::sync::Arc;

use super::{Playing, Verb};
use crate::lab::Lab;
use crate::scenario::{NodeName, Shaped, Word};

/// `- power-off: s1`
pub const POWER_OFF: Word<Arc<dyn Verb>> = Word {
    name: "power-off",
    about: "the host dies: its wires are cut, then its processes and its kernel go. Nothing more is sent. The opposite is `reboot`",
    example: "server",
    takes: NodeName::SHAPE,
    decode: |value| Some(Arc::new(PowerOff(value.decode::<NodeName>()?.to_string()))),
};

/// `- reboot: s1`
pub const REBOOT: Word<Arc<dyn Verb>> = Word {
    name: "reboot",
    about: "a host that was powered off comes back with the same address and its services, without connections: the next segment of an old one meets RST",
    example: "server",
    takes: NodeName::SHAPE,
    decode: |value| Some(Arc::new(Reboot(value.decode::<NodeName>()?.to_string()))),
};

#[derive(Debug)]
struct PowerOff(String);

impl Verb for PowerOff {
    fn object(&self) -> Option<&str> {
        Some(&self.0)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let node = lab.node(&self.0);
            lab.network.power_off(node).await?;
            lab.injected("power-off", &self.0);
            for program in lab.programs_on(&self.0) {
                lab.kill(&program).await?;
            }
            lab.network.close(node).await?;
            Ok(())
        })
    }
}

#[derive(Debug)]
struct Reboot(String);

impl Verb for Reboot {
    fn object(&self) -> Option<&str> {
        Some(&self.0)
    }

    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a> {
        Box::pin(async {
            let node = lab.node(&self.0);
            lab.network.reboot(node).await?;
            lab.injected("reboot", &self.0);
            let case = lab.case.clone();
            for service in case.services.iter().filter(|service| service.node.as_str() == self.0) {
                lab.start_service(service.name.as_str()).await?;
            }
            Ok(())
        })
    }
}
