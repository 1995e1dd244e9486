//! All clients, one after the other at random intervals; and the proxy's descriptors and memory.

use std::io;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::plan::{End, Plan, Side};
use super::talk::{Outcome, talk};
use super::{Cost, Short, Summary, tell};

/// Makes sessions for `time`, on the average one every `gap`, waits for the last, and tells the sum.
///
/// # Errors
/// When the proxy's process is not found.
pub async fn drive(
    seed: u64,
    address: String,
    time: Duration,
    gap: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let proxy = proxy()?;
    let (began, before) = (Instant::now(), cost(proxy)?);
    let mut chance = SmallRng::seed_from_u64(seed);
    let mut running = JoinSet::new();
    let mut sum = Summary {
        sessions: 0,
        complete: 0,
        heard: 0,
        timed_out: 0,
        before,
        most_descriptors: before.descriptors,
        after: before,
    };
    while began.elapsed() < time {
        running.spawn(session(Plan::of(seed, sum.sessions), address.clone()));
        sum.sessions += 1;
        while let Some(ended) = running.try_join_next() {
            sum.add(ended?);
        }
        if sum.sessions.is_multiple_of(16) {
            sum.most_descriptors = sum.most_descriptors.max(cost(proxy)?.descriptors);
        }
        // As calls come at an exchange: the gaps' lengths are exponential.
        let next = gap.mul_f64(-chance.random_range(f64::MIN_POSITIVE..1.0).ln());
        tokio::time::sleep(next).await;
    }
    while let Some(ended) = running.join_next().await {
        sum.add(ended?);
    }
    // The proxy may still wait for a server that is out of reach.
    tokio::time::sleep(LAST).await;
    sum.after = cost(proxy)?;
    tell(&sum);
    Ok(())
}

/// Longer than any timer of the proxy.
const LAST: Duration = Duration::from_secs(1200);

impl Summary {
    fn add(&mut self, (plan, outcome): (Plan, Outcome)) {
        self.heard += outcome.heard;
        match outcome.short {
            Some(short) => tell(&short),
            None => {
                self.complete += 1;
                self.timed_out += u64::from(plan.end == End::Silence);
            }
        }
    }
}

async fn session(plan: Plan, address: String) -> (Plan, Outcome) {
    let began = Instant::now();
    let stream = async {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_u64(plan.id).await?;
        Ok::<_, io::Error>(stream)
    };
    let outcome = match stream.await {
        Ok(stream) => talk(&plan, Side::Client, stream).await,
        Err(error) => Outcome {
            heard: 0,
            short: Some(Short {
                id: plan.id,
                side: Side::Client.name().to_owned(),
                plan: format!("{:?}", plan.end),
                heard: 0,
                of: plan.speech(Side::Server).length,
                problem: format!("connecting: {error}"),
                lasted_s: began.elapsed().as_secs_f64(),
            }),
        },
    };
    (plan, outcome)
}

/// The proxy's process: in the machine there is no other of the harness's own programs but its first.
fn proxy() -> io::Result<u32> {
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let line = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if line.split('\0').nth(1) == Some("enter") {
            return Ok(pid);
        }
    }
    Err(io::Error::other("the proxy's process is not there"))
}

fn cost(pid: u32) -> io::Result<Cost> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let memory_kb = field.and_then(|field| field.split_whitespace().next()?.parse().ok());
    Ok(Cost { descriptors, memory_kb: memory_kb.ok_or_else(|| io::Error::other("no RssAnon in its status"))? })
}
