//! The container engine of this machine, and what runs have left in it.
//!
//! Every container carries the name of its run. A run removes its own; its guard removes them when the run is killed; and what
//! outlives even that is removed by the next run that starts a container, and by `whyclosed clean`.

use std::collections::HashMap;
use std::error::Error as _;
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use futures_core::Stream;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as Refusal;
use testcontainers::bollard::models::{ContainerCreateBody, ContainerState, ImageConfig};
use testcontainers::bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers::core::client::{ClientError, docker_client_instance};

use super::guard;

/// The label with the run's name.
pub const RUN: &str = "whyclosed.run";
/// How often the engine is asked whether it has noticed the end of a container.
const NOTICED_POLL: Duration = Duration::from_millis(20);

/// The label with the service's name.
pub const SERVICE: &str = "whyclosed.service";

/// The engine, where it answers.
///
/// Where it is, is said as everywhere: `DOCKER_HOST`, or the usual socket.
///
/// # Errors
/// When it does not: what is missing, and what to do.
pub async fn reach() -> std::io::Result<Docker> {
    let client = docker_client_instance().await.map_err(|error| match error {
        ClientError::Init(refusal) => unreachable(&refusal),
        error => std::io::Error::other(error),
    })?;
    client.negotiate_version().await.map_err(|refusal| unreachable(&refusal))
}

/// Lowers the version of the interface that testcontainers speaks to the engine's own: it speaks the newest and asks for none
/// (testcontainers 0.28, `bollard_client.rs`), and an engine refuses one that is newer than itself. All that shares
/// testcontainers' client follows, for as long as one of its containers or starts lives: so this is called during each start.
pub fn speak_its_version() {
    let lowered = async {
        // What went wrong is told by the request that follows.
        drop(reach().await);
    };
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(lowered));
}

/// The first of two images that is on this machine. None is ever fetched: a lab sends nothing into the world.
///
/// # Errors
/// When neither is, or the engine cannot tell.
pub async fn find_image<'a>(engine: &Docker, image: &'a str, instead: Option<&'a str>) -> std::io::Result<&'a str> {
    for name in [Some(image), instead].into_iter().flatten() {
        match engine.inspect_image(name).await {
            Ok(_) => return Ok(name),
            Err(Refusal::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(refusal) => return Err(unreachable(&refusal)),
        }
    }
    let build = instead.map_or(String::new(), |name| format!("; or `make images`, which builds `{name}`"));
    let missing =
        format!("this machine has no such image, and none is fetched by itself: `docker pull {image}`{build}");
    Err(std::io::Error::new(ErrorKind::NotFound, missing))
}

/// An image's identity, and what it says of how it is started.
///
/// # Errors
/// When the engine does not answer.
pub async fn about(engine: &Docker, image: &str) -> std::io::Result<(String, ImageConfig)> {
    let inspected = engine.inspect_image(image).await.map_err(|refusal| unreachable(&refusal))?;
    Ok((inspected.id.unwrap_or_default(), inspected.config.unwrap_or_default()))
}

/// Writes an image's files to an archive.
///
/// # Errors
/// When the engine refuses, or the archive cannot be written.
pub async fn export(engine: &Docker, image: &str, mut archive: std::fs::File) -> std::io::Result<()> {
    let run = guard::name_of_this_process();
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        // It is never started; an image without a command would be refused.
        cmd: Some(vec!["-".into()]),
        labels: Some(HashMap::from([(RUN.to_string(), run.clone()), (SERVICE.to_string(), "export".into())])),
        ..ContainerCreateBody::default()
    };
    let made = engine.create_container(None::<CreateContainerOptions>, body).await;
    let id = made.map_err(|refusal| unreachable(&refusal))?.id;
    let mut chunks = std::pin::pin!(engine.export_container(&id));
    let mut written = Ok(());
    while let Some(chunk) = std::future::poll_fn(|context| chunks.as_mut().poll_next(context)).await {
        written = chunk.map_err(|refusal| unreachable(&refusal)).and_then(|chunk| archive.write_all(&chunk));
        if written.is_err() {
            break;
        }
    }
    remove(&run, None).await?;
    written
}

/// The main process of a container, as this machine numbers it; `None` when it has ended.
///
/// # Errors
/// When the engine does not know the container.
pub async fn main_process(engine: &Docker, id: &str) -> std::io::Result<Option<i32>> {
    let pid = state(engine, id).await?.pid;
    Ok(pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0))
}

/// What a container has ended with, as soon as its engine has noticed.
///
/// # Errors
/// When the engine does not know the container, or has noticed nothing within the limit.
pub async fn exit_code(engine: &Docker, id: &str, limit: Duration) -> std::io::Result<i64> {
    let deadline = Instant::now() + limit;
    loop {
        let state = state(engine, id).await?;
        if state.running != Some(true) {
            return Ok(state.exit_code.unwrap_or_default());
        }
        if Instant::now() > deadline {
            let unnoticed = "its main process has ended, and the engine still says that it runs";
            return Err(std::io::Error::new(ErrorKind::TimedOut, unnoticed));
        }
        tokio::time::sleep(NOTICED_POLL).await;
    }
}

async fn state(engine: &Docker, id: &str) -> std::io::Result<ContainerState> {
    let inspected = engine.inspect_container(id, None::<InspectContainerOptions>).await;
    Ok(inspected.map_err(|refusal| unreachable(&refusal))?.state.unwrap_or_default())
}

/// Removes the containers of a run, or of one of its services; returns their services' names.
///
/// # Errors
/// When the engine does not answer, or refuses.
pub async fn remove(run: &str, service: Option<&str>) -> std::io::Result<Vec<String>> {
    let service = service.map(|service| format!("{SERVICE}={service}"));
    remove_labelled([format!("{RUN}={run}")].into_iter().chain(service).collect(), |_| true).await
}

/// Removes the containers of runs that no longer exist; returns their services' names.
///
/// # Errors
/// As [`remove`].
pub async fn sweep() -> std::io::Result<Vec<String>> {
    remove_labelled(vec![RUN.into()], guard::is_over).await
}

async fn remove_labelled(labels: Vec<String>, wanted: impl Fn(&str) -> bool) -> std::io::Result<Vec<String>> {
    let engine = reach().await?;
    let filters = HashMap::from([("label".to_string(), labels)]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = engine.list_containers(Some(options)).await.map_err(|refusal| unreachable(&refusal))?;
    let mut removed = Vec::new();
    for container in found {
        let (Some(id), labels) = (container.id, container.labels.unwrap_or_default()) else { continue };
        if !labels.get(RUN).is_some_and(|run| wanted(run)) {
            continue;
        }
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match engine.remove_container(&id, Some(options)).await {
            // Somebody else removes it, or has.
            Ok(()) | Err(Refusal::DockerResponseServerError { status_code: 404 | 409, .. }) => {
                removed.extend(labels.get(SERVICE).cloned());
            }
            Err(refusal) => return Err(unreachable(&refusal)),
        }
    }
    Ok(removed)
}

/// What a refusal means, and what to do about it.
fn unreachable(refusal: &Refusal) -> std::io::Error {
    match refusal {
        Refusal::DockerResponseServerError { message, .. } => {
            return std::io::Error::other(format!("Docker says: {message}"));
        }
        Refusal::SocketNotFoundError(_) => return answer(&ErrorKind::NotFound.into()),
        // It speaks for the error within, and has that one's source.
        Refusal::IOError { err } => return answer(err),
        _ => {}
    }
    let mut cause = refusal.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return answer(error);
        }
        cause = error.source();
    }
    std::io::Error::other(format!("Docker: {refusal}"))
}

fn answer(error: &std::io::Error) -> std::io::Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => "this user may not ask it: run as root, or as a member of the group `docker`",
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            "it does not run, or not where DOCKER_HOST says: install it (on Debian the package docker.io) and start it; \
             `scripts/start-docker` does both where no service manager does"
        }
        _ => "is it well?",
    };
    std::io::Error::new(error.kind(), format!("Docker cannot be reached ({error}): {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_ask_is_told_who_may() {
        let answer = answer(&ErrorKind::PermissionDenied.into());
        assert_eq!(answer.kind(), ErrorKind::PermissionDenied);
        assert!(answer.to_string().contains("the group `docker`"), "{answer}");
    }

    #[test]
    fn an_engine_that_does_not_run_is_to_be_started() {
        let refused = Refusal::from(std::io::Error::from(ErrorKind::ConnectionRefused));
        let answer = unreachable(&refused);
        assert!(answer.to_string().contains("scripts/start-docker"), "{answer}");
    }
}
