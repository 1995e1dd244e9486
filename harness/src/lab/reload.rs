//! Reloading a proxy: one process takes over from another.

use std::sync::Arc;

use super::process::Process;
use super::programs::READY_POLL;
use super::{Error, Lab, doing};
use crate::clock::readable;
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
            Reload::Anew { .. } if old.is_contained() => {
                return Err(refused("in a container a second process cannot be started beside it"));
            }
            Reload::Anew { socket } => {
                let mut place = service
                    .kind
                    .place(&case.directory, &service.env)
                    .map_err(|e| doing(&format!("preparing `{name}`"), e))?;
                let from = old.path_for_others(socket).map_err(|e| doing(&format!("preparing `{name}`"), e))?;
                place.argv.extend(["-x".into(), from]);
                let running = self.start_here(service, place).await?;
                let new = running.process.clone();
                self.watch.add(new.clone(), service.node.as_str(), Some(service.kind.clone()));
                self.retired.extend(self.running.insert(name.into(), running));
                self.has_taken_over(service, &new, socket).await?;
                self.injected("reload", name);
                old.signal(service.kind.soft_stop());
            }
        }
        Ok(())
    }

    /// Waits until a process has a stats socket of its own: by then it has the listening sockets too.
    async fn has_taken_over(
        &self,
        service: &Service<Arc<dyn Kind>>,
        process: &Process,
        socket: &str,
    ) -> Result<(), Error> {
        let within = service.ready_within.unwrap_or_else(|| service.kind.ready_within());
        let is_there = async {
            while !process.path(socket).exists() {
                if !process.runs() {
                    return Err(self.not_ready(service, "it has ended".into()));
                }
                // The kernel has no event for a file in another mount namespace.
                tokio::time::sleep(READY_POLL).await;
            }
            Ok(())
        };
        let late = || Err(self.not_ready(service, format!("it has no stats socket after {}", readable(within))));
        self.during(tokio::time::timeout(within, is_there)).await.unwrap_or_else(|_| late())
    }
}
