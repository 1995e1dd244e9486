//! Services that run from an image, in a container.
//!
//! A container starts without a network of its own, and then its namespace becomes the node's: the wires are laid to it with the
//! node's address, and its sysctls are set there. So everything else of a lab works on it as on any process.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use netns::Namespace;
use testcontainers::bollard::Docker;
use testcontainers::core::Host;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt, TestcontainersError};

use super::bundle::Folder;
use super::process::{Held, Process};
use super::{END_LIMIT, Error, Lab, Running, doing, engine};
use crate::claim::{Claim, claim, try_claim};
use crate::scenario::Service;
use crate::services::Kind;

/// An image, and how it is started.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Its name, as the engine knows it: `rabbitmq:3`.
    pub name: String,
    /// The name of one that does as well where that is missing.
    pub instead: Option<&'static str>,
    /// The folder that it is, if it is none of the engine's.
    pub folder: Option<Folder>,
    /// Arguments for its entrypoint; empty leaves it the image's own.
    pub command: Vec<String>,
    /// Its environment, besides the image's own.
    pub env: BTreeMap<String, String>,
    /// Files that are put in before it starts: where, and what.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

/// How long the engine may take to start a container.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long the engine may take to hand on the last lines of a container that has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long a container may wait for others of this machine to become ready, and how often it asks.
const TURN: &str = "container";
const TURN_LIMIT: Duration = Duration::from_secs(600);
const TURN_POLL: Duration = Duration::from_millis(50);

/// A program can bind to its node's address although the wires are laid only once its namespace is there.
const EARLY_BIND: &str = "net.ipv4.ip_nonlocal_bind";

/// A started container.
#[derive(Debug)]
pub struct Container {
    inner: Option<ContainerAsync<GenericImage>>,
    /// The tasks that read its log.
    pub logs: Vec<tokio::task::JoinHandle<()>>,
}

impl Container {
    /// What the container writes, by stream.
    pub fn streams(
        &self,
    ) -> impl Iterator<Item = (&'static str, std::pin::Pin<Box<dyn tokio::io::AsyncBufRead + Send>>)> {
        let streams = self.inner.as_ref().map(|inner| [("stdout", inner.stdout(true)), ("stderr", inner.stderr(true))]);
        streams.into_iter().flatten()
    }

    /// Removes it; the last lines of its log have been read when this returns.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn remove(mut self) -> std::io::Result<()> {
        for log in std::mem::take(&mut self.logs) {
            // A process of the container that does not end holds its log open.
            let _ = tokio::time::timeout(LAST_WORDS, log).await;
        }
        match self.inner.take() {
            Some(inner) => inner.rm().await.map_err(std::io::Error::other),
            None => Ok(()),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        for log in &self.logs {
            log.abort();
        }
        // Its own end would wait for the engine, in a runtime that may be going down: the run's guard removes what is left.
        std::mem::forget(self.inner.take());
    }
}

/// Waits for a turn to start a container: no more become ready at a time than this machine has processors, as they all compute
/// meanwhile, and what other cases time would be late. `None` when that took too long; then it is tried all the same.
///
/// # Errors
/// As socket(2).
pub async fn turn() -> std::io::Result<Option<Claim>> {
    claim(TURN, &processors(), TURN_POLL, TURN_LIMIT).await
}

/// A turn, if there is one now.
///
/// # Errors
/// As socket(2).
pub fn free_turn() -> std::io::Result<Option<Claim>> {
    try_claim(TURN, &processors())
}

fn processors() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get)).collect()
}

impl Lab {
    /// Starts a service from its image, and moves its node into the container's namespace.
    ///
    /// # Errors
    /// When the engine or the image is missing, or the container ends at once, with its last words.
    pub(super) async fn start_container(
        &mut self,
        service: &Service<Arc<dyn Kind>>,
        image: &Image,
    ) -> Result<Running, Error> {
        let (name, node) = (service.name.as_str(), service.node.as_str());
        let what = format!("starting `{name}` from the image `{}`", image.name);
        let failed = |e: std::io::Error| doing(&what, e);
        if self.site.wheel_ns.is_some() {
            return Err(failed(std::io::Error::other("its image was not unpacked")));
        }
        if self.case.nodes[self.node(node)].firewall.is_some() {
            let refused = format!("node `{node}` is a firewall; give the container a node of its own");
            return Err(failed(std::io::Error::other(refused)));
        }
        let runs = |other: &&String| *other != name && self.running.get(*other).is_some_and(|r| r.process.runs());
        if let Some(other) = self.programs_on(node).iter().find(runs) {
            let refused = format!("`{other}` already runs on node `{node}`; give the container a node of its own");
            return Err(failed(std::io::Error::other(refused)));
        }
        if let Some(before) = self.running.remove(name) {
            before.process.gone(END_LIMIT).await?;
        }
        let engine = engine::reach().await.map_err(failed)?;
        self.site.mark.uses_containers().await.map_err(failed)?;
        let found = engine::find_image(&engine, &image.name, image.instead).await.map_err(failed)?;
        let mark = self.site.mark.clone();
        let container = match self.request(service, image, found).start().await {
            Ok(inner) => Container { inner: Some(inner), logs: Vec::new() },
            Err(error) => {
                // What was made and not started has no owner.
                let _ = engine::remove(mark.name(), Some(name)).await;
                return Err(failed(std::io::Error::other(in_its_words(&error))));
            }
        };
        let id = container.inner.as_ref().map(|inner| inner.id().to_owned()).unwrap_or_default();
        let reads = service.kind.reads(&self.around(service));
        let Some((held, network)) = hold(&engine, &id).await.map_err(failed)? else {
            let code = engine::exit_code(&engine, &id, LAST_WORDS).await.map_err(failed)?;
            Process::read_to_the_end(name, container, &self.ledger, reads).await.map_err(failed)?;
            return Err(self.not_ready(service, format!("it has ended with exit code {code}")));
        };
        if let Err(error) = self.move_in(node, network).await {
            let _ = engine::remove(mark.name(), Some(name)).await;
            return Err(error);
        }
        let process = Process::adopt(name, held, container, &self.ledger, &reads);
        Ok(Running { process: Arc::new(process), orders: None, reports: None })
    }

    fn request(&self, service: &Service<Arc<dyn Kind>>, image: &Image, found: &str) -> ContainerRequest<GenericImage> {
        let (name, tag) = split(found);
        let mut sysctls: std::collections::HashMap<_, _> =
            self.network.sysctls(self.node(service.node.as_str())).iter().cloned().collect();
        sysctls.insert(EARLY_BIND.into(), "1".into());
        let mut request = GenericImage::new(name, tag)
            .with_label(engine::RUN, self.site.mark.name())
            .with_label(engine::SERVICE, service.name.as_str())
            .with_startup_timeout(START_LIMIT)
            .with_host_config_modifier(move |host| {
                // Not `with_network`, which asks the engine before its version is known.
                host.network_mode = Some("none".into());
                host.publish_all_ports = Some(false);
                host.sysctls = Some(sysctls.clone());
                engine::speak_its_version();
            });
        if !image.command.is_empty() {
            request = request.with_cmd(image.command.iter().cloned());
        }
        for (name, value) in image.env.iter().chain(service.env.iter().map(|(n, v)| (n, v))) {
            request = request.with_env_var(name, value);
        }
        for (path, content) in &image.files {
            request = request.with_copy_to(path.display().to_string(), content.clone());
        }
        for (node, address) in &self.addresses {
            request = request.with_host(node, Host::Addr(IpAddr::from(*address)));
        }
        request
    }

    /// The node goes on where the container's process is.
    async fn move_in(&mut self, node: &str, namespace: Namespace) -> Result<(), Error> {
        let node = self.node(node);
        self.network.move_to(node, namespace).await?;
        netns::sysctl::set_and_read_back(self.network.node(node)?, &[(EARLY_BIND.into(), "0".into())])?;
        Ok(())
    }
}

/// The main process of a container and its network namespace; `None` when it has ended, at whatever moment.
async fn hold(engine: &Docker, id: &str) -> std::io::Result<Option<(Held, Namespace)>> {
    let Some(pid) = engine::main_process(engine, id).await? else { return Ok(None) };
    let held = Held::hold(pid);
    Ok(held.and_then(|held| Some((held, Namespace::of_process(pid).ok()?))))
}

/// Name and tag of an image: a colon behind the last slash; a digest's colon is one, too.
fn split(image: &str) -> (String, String) {
    let last = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[last..].rfind(':') {
        Some(colon) => (image[..last + colon].into(), image[last + colon + 1..].into()),
        None => (image.into(), "latest".into()),
    }
}

/// The engine's own words, without testcontainers' around them.
fn in_its_words(error: &TestcontainersError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_tag_is_the_latest() {
        assert_eq!(split("whyclosed/rabbitmq"), ("whyclosed/rabbitmq".into(), "latest".into()));
    }

    #[test]
    fn the_port_of_a_registry_is_no_tag() {
        assert_eq!(split("registry:5000/rabbitmq"), ("registry:5000/rabbitmq".into(), "latest".into()));
        assert_eq!(split("registry:5000/rabbitmq:3"), ("registry:5000/rabbitmq".into(), "3".into()));
    }

    #[test]
    fn a_digest_is_kept_whole() {
        let (name, tag) = split("rabbitmq@sha256:0123");
        assert_eq!(format!("{name}:{tag}"), "rabbitmq@sha256:0123");
    }
}
