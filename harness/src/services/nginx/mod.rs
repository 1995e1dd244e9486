//! `proxy: nginx`: the real nginx of this machine, its stream module, with the user's configuration untouched.
//!
//! It is started as `nginx -e stderr -g ours -c user's`. Ours are directives of the main context: it stays in the foreground, and
//! logs to standard error at level `info`, where it tells which connections it joins and why each session ended. A configuration
//! with an `error_log` of its own in `stream` or `server` takes that away. In an image it is the same, by the image's shell.

mod config;

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use rustix::process::Signal;

use self::config::{Directive, Server};
use super::haproxy::ConfigKeys;
use super::image::{self, ImageKeys, Source, Usual};
use super::session_log::{self, Pattern};
use super::{Kind, Reload, Surroundings, config_file};
use crate::evidence::{Fact, ProxyRules, ProxyServer, ProxyTimeouts, Role};
use crate::lab::container::Image;
use crate::lab::enter::Place;
use crate::lab::process::ReadLine;
use crate::scenario::{Fields, FileOrText, ServiceWord};

/// The word in a scenario.
pub const WORD: ServiceWord<Arc<dyn Kind>> = ServiceWord {
    key: "proxy",
    value: Some("nginx"),
    beside: &["image"],
    about: "nginx with your own configuration: the one that is installed, with its stream module, or one from an image",
    keys: &[ConfigKeys::TABLE, ImageKeys::TABLE],
    decode,
};

/// The image that is meant by its public name.
const IMAGE: Usual = Usual { name: "nginx:1.22", instead: "whyclosed/nginx", variable: "WHYCLOSED_NGINX_IMAGE" };

/// Where a configuration is that is a text in the scenario.
const THEIRS: &str = "/run/whyclosed/nginx.conf";
/// The stream module where it is not built in, as in Debian's packages; the first path is relative to nginx's prefix.
const MODULES: [&str; 2] =
    ["/usr/share/nginx/modules/ngx_stream_module.so", "/usr/lib64/nginx/modules/ngx_stream_module.so"];
/// What loads an image's modules, if it is one of Debian's packages. Where it is built in there are no such files, and a pattern
/// that nothing matches is no error (nginx, `include`).
const MODULES_OF_IMAGE: &str = "include /etc/nginx/modules-enabled/*.conf;";
/// `NGX_TIMER_LAZY_DELAY` (nginx, src/event/ngx_event_timer.h): a timer is not moved for less than this.
const LAZY: Duration = Duration::from_millis(300);
/// How long a reload lets new workers start before the old ones are told (nginx, src/os/unix/ngx_process_cycle.c).
const NEW_WORKERS: Duration = Duration::from_millis(100);

/// What nginx says of sessions at level `info` (src/stream/ngx_stream_handler.c, ngx_stream_proxy_module.c; connection.c of its event
/// loop for errors of sockets), and HAProxy's state for it. Its one timer watches both directions, as HAProxy's `timeout tunnel` does.
const LINES: [(&str, Option<&str>); 11] = [
    (r" client (?<client>[\d.]+:\d+) connected to ", None),
    (r" proxy (?<source>[\d.]+:\d+) connected to (?<server>[\d.]+:\d+)", None),
    (
        r#" (?<why>upstream timed out) \(.*\) while connecting to upstream.* upstream: "(?<server>[\d.]+:\d+)""#,
        Some("sC"),
    ),
    (
        r#" (?<why>(connect\(\) failed \(\d+: .*\)|no live upstreams)) while connecting to upstream(.* upstream: "(?<server>[\d.]+:\d+)")?"#,
        Some("SC"),
    ),
    (r" (?<why>connection timed out) \(.*\) while proxying connection", Some("cD")),
    (
        r" (?<why>(recv|send|readv|writev)\(\) failed \(\d+: .*\)) while proxying and (reading from|sending to) client",
        Some("CD"),
    ),
    (
        r" (?<why>(recv|send|readv|writev)\(\) failed \(\d+: .*\)) while proxying and (reading from|sending to) upstream",
        Some("SD"),
    ),
    (r" (?<why>shutdown timeout)", Some("K-")),
    (r" (?<why>limiting connections) by zone", Some("PR")),
    (r" (?<why>client disconnected),", Some("--")),
    (r" (?<why>upstream disconnected),", Some("--")),
];

#[derive(Debug)]
struct Nginx {
    config: FileOrText,
    port: Option<u16>,
    /// The image that it runs from, if it is not this machine's own program.
    image: Option<Source>,
}

fn decode(fields: &mut Fields<'_>) -> Option<Arc<dyn Kind>> {
    let image = image::source(fields)?;
    let config = fields.required(ConfigKeys::CONFIG)?;
    let port = servers(&config).first().and_then(|server| server.ports.first()).copied();
    Some(Arc::new(Nginx { config, port, image }))
}

fn servers(config: &FileOrText) -> Vec<Server> {
    config_file::text(config).map(|text| config::servers(&config::parse(&text))).unwrap_or_default()
}

/// What is told to nginx besides the user's configuration; a directive that is there already would be refused as a second one.
fn ours(theirs: &Directive, modules: Option<String>) -> String {
    let loads = theirs.all("load_module").chain(theirs.all("include")).next().is_some();
    let modules = modules.filter(|_| !loads).unwrap_or_default();
    let foreground = if theirs.get("daemon").is_none() { " daemon off;" } else { "" };
    format!("{modules} error_log stderr info;{foreground}")
}

/// What loads the stream module of this machine, where it is not built in.
fn modules() -> Option<String> {
    let module = MODULES.iter().find(|module| Path::new(module).exists())?;
    Some(format!("load_module {module};"))
}

impl Nginx {
    /// The words with which it is started on a configuration.
    ///
    /// # Errors
    /// When that cannot be read, or sends it to the background.
    fn argv(&self, config: &str, modules: Option<String>) -> std::io::Result<impl Iterator<Item = String> + use<>> {
        let theirs = config::parse(&config_file::text(&self.config)?);
        if theirs.get("daemon").is_some_and(|daemon| daemon != "off") {
            return Err(std::io::Error::other(
                "its configuration has `daemon on`: leave that out, it runs in the foreground here",
            ));
        }
        Ok(["nginx", "-e", "stderr", "-g", &ours(&theirs, modules), "-c", config].map(String::from).into_iter())
    }
}

impl Kind for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn role(&self) -> Role {
        Role::Proxy
    }

    fn port(&self) -> Option<u16> {
        self.port
    }

    fn ready_within(&self) -> Duration {
        if self.image.is_some() { image::READY_WITHIN } else { Duration::from_secs(10) }
    }

    fn image(&self) -> std::io::Result<Option<Image>> {
        let Some(source) = &self.image else { return Ok(None) };
        let command = image::when_wired(self.argv(THEIRS, Some(MODULES_OF_IMAGE.into()))?);
        let files = vec![(THEIRS.into(), config_file::text(&self.config)?.into_bytes())];
        Ok(Some(Image { command, files, ..image::chosen(Some(source), &IMAGE) }))
    }

    fn place(&self, directory: &Path, env: &[(String, String)]) -> std::io::Result<Place> {
        let mut files: Vec<(PathBuf, String)> = Vec::new();
        let config = config_file::place(&self.config, THEIRS, &mut files)?;
        Ok(Place { files, ..Place::of(self.argv(&config, modules())?.collect(), directory, env) })
    }

    fn settings(&self, service: &Surroundings<'_>) -> Vec<Fact> {
        let Ok(text) = config_file::text(&self.config) else { return Vec::new() };
        let whole = config::parse(&text);
        let patience = whole.get("worker_shutdown_timeout").and_then(config::duration);
        config::servers(&whole).into_iter().map(|server| settings(service, server, patience)).collect()
    }

    fn soft_stop(&self) -> Signal {
        Signal::QUIT
    }

    fn reload(&self) -> Option<Reload> {
        Some(Reload::Signal(Signal::HUP))
    }

    fn reads(&self, service: &Surroundings<'_>) -> ReadLine {
        let pattern = |(line, state): &(&str, Option<&str>)| {
            let line = Regex::new(&format!(r"\*(?<session>\d+){line}")).ok()?;
            Some(Pattern { line, state: state.map(str::to_owned) })
        };
        session_log::reader(LINES.iter().filter_map(pattern).collect(), service, self.port)
    }
}

fn settings(service: &Surroundings<'_>, server: Server, patience: Option<Duration>) -> Fact {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let servers: Vec<SocketAddrV4> = server.servers.iter().filter_map(|place| service.socket_of(place)).collect();
    let known = |address: &SocketAddrV4| ProxyServer {
        name: address.to_string(),
        address: *address,
        fall: None,
        maxconn: None,
        ends_sessions_when_down: false,
        ends_backup_sessions_when_up: false,
    };
    let rules = ProxyRules {
        // Each server of the group is tried once (`proxy_next_upstream`, on by default).
        retries: u32::try_from(servers.len().saturating_sub(1)).unwrap_or_default(),
        redispatch: true,
        hard_stop_after: patience.map(ms),
        hands_over_ms: Some(ms(NEW_WORKERS)),
        servers: servers.iter().map(known).collect(),
        ..ProxyRules::default()
    };
    let timeouts =
        ProxyTimeouts { connect: server.connect.map(ms), tunnel: server.timeout.map(ms), ..ProxyTimeouts::default() };
    let frontend = server.ports.first().map(ToString::to_string).unwrap_or_default();
    Fact::ProxySettings {
        service: service.name.into(),
        frontend,
        ports: server.ports,
        servers,
        timeouts,
        lazy_ms: Some(ms(LAZY)),
        rules: Some(rules),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        for (line, _) in LINES {
            Regex::new(line).unwrap();
        }
    }
}
