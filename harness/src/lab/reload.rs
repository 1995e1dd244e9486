//! Reloading a proxy: one process takes over from another.

use std::sync::Arc;

use super::{Error, Lab, doing};
use crate::scenario::Service;
use crate::services::{Kind, Reload};

impl Lab {
    /// Lets a proxy read its configuration anew.
    ///
    /// # Errors
    /// When it cannot, does not run, or its new process does not start.
    pub async fn reload(&mut self, name: &str) -> Result<(), Error> {
        let refused = |why: &str| doing(&format!("reloading `{name}`"), std::io::Error::other(why));
        let case = self.case.clone();
        let service = case.services.iter().find(|service| service.name.as_str() == name);
        let how = service.and_then(|service| Some((service, service.kind.reload()?)));
        let (service, how) = how.ok_or_else(|| refused("only proxies that are known by name can be reloaded"))?;
        let old = self.process(name)?;
        if !old.runs() {
            return Err(refused("it has ended; `start` it"));
        }
        match how {
            Reload::Signal(signal) => {
                self.injected("reload", name);
                // Its workers take the same signal for something else.
                old.signal_main(signal);
            }
            Reload::Anew if old.is_contained() => {
                return Err(refused("in a container a second process cannot be started beside it"));
            }
            Reload::Anew => {
                let before = self.listening(service).await?;
                let place = service
                    .kind
                    .place(&case.directory, &service.env)
                    .map_err(|e| doing(&format!("preparing `{name}`"), e))?;
                let running = self.start_here(service, place).await?;
                let new = running.process.clone();
                self.watch.add(new.clone(), service.node.as_str(), Some(service.kind.clone()));
                self.retired.extend(self.running.insert(name.into(), running));
                self.ready_beside(service, &new, before).await?;
                self.injected("reload", name);
                old.signal(service.kind.soft_stop());
            }
        }
        Ok(())
    }

    /// How many sockets listen on a service's port.
    async fn listening(&self, service: &Service<Arc<dyn Kind>>) -> Result<usize, Error> {
        let node = self.network.node(self.node(service.node.as_str()))?;
        match service.kind.port() {
            Some(port) => super::programs::listeners(node, port).await,
            None => Ok(0),
        }
    }
}
