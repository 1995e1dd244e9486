//! One end of a session: it says its part, hears the other's, and ends as planned.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::plan::{End, Plan, Side};
use super::{Short, WRONG};

/// The proxy's timers are over by then: what ended the session was lost on its way.
const SILENCE: Duration = Duration::from_secs(1200);

/// What became of it.
pub struct Outcome {
    /// Bytes that came.
    pub heard: u64,
    /// What was not as planned.
    pub short: Option<Short>,
}

/// What an end heard.
struct Heard {
    count: u64,
    /// Why it heard no more: `None` is that it had heard all, and did not wait for the FIN.
    stopped: Option<Stop>,
}

#[derive(Debug)]
enum Stop {
    Fin,
    Error(std::io::Error),
    Wrong(u64),
}

/// Does this end's part.
pub async fn talk(plan: &Plan, me: Side, mut stream: TcpStream) -> Outcome {
    let began = Instant::now();
    let peer = if me == Side::Client { Side::Server } else { Side::Client };
    let of = plan.speech(peer).length;
    let closes = plan.end == End::Closes(me);
    let resets = plan.end == End::Resets(me);
    let (reader, writer) = stream.split();
    let (said, heard) = if resets {
        // What is heard meanwhile is looked at too.
        tokio::select! {
            biased;
            said = say(plan, me, writer) => (said, Heard { count: 0, stopped: None }),
            heard = hear(plan, peer, reader, false) => (Ok(()), heard),
        }
    } else {
        tokio::join!(say(plan, me, writer), hear(plan, peer, reader, closes))
    };
    if resets {
        // The socket is closed with what it has not sent.
        let _ = stream.set_zero_linger();
    }
    let wrong = matches!(heard.stopped, Some(Stop::Wrong(_)));
    // Whose peer resets may hear any part of it, and whoever resets does not wait for anything.
    let complete = match plan.end {
        End::Resets(_) => !wrong,
        _ => heard.count == of && said.is_ok() && matches!(heard.stopped, None | Some(Stop::Fin)),
    };
    let problem = match &heard.stopped {
        Some(Stop::Wrong(place)) => format!("{WRONG} at {place}"),
        Some(Stop::Error(error)) => format!("reading: {error}"),
        _ => said.err().map_or_else(|| "the connection ended".to_owned(), |error| format!("writing: {error}")),
    };
    let short = (!complete).then(|| Short {
        id: plan.id,
        side: me.name().to_owned(),
        plan: format!("{:?}", plan.end),
        heard: heard.count,
        of,
        problem,
        lasted_s: began.elapsed().as_secs_f64(),
    });
    Outcome { heard: heard.count, short }
}

async fn say(plan: &Plan, me: Side, mut writer: WriteHalf<'_>) -> std::io::Result<()> {
    let speech = plan.speech(me);
    let length = if plan.end == End::Resets(me) { speech.length / 2 } else { speech.length };
    let mut at = 0;
    while at < length {
        if speech.pause > Duration::ZERO {
            tokio::time::sleep(speech.pause).await;
        }
        let to = (at + speech.portion).min(length);
        let portion: Vec<u8> = (at..to).map(|place| plan.byte(me, place)).collect();
        writer.write_all(&portion).await?;
        at = to;
    }
    if plan.end == End::HalfCloses(me) {
        writer.shutdown().await?;
    }
    Ok(())
}

/// Hears until the peer's FIN, or, if it `closes`, until everything is there.
async fn hear(plan: &Plan, peer: Side, mut reader: ReadHalf<'_>, closes: bool) -> Heard {
    let (of, mut count, mut room) = (plan.speech(peer).length, 0, vec![0; 16 * 1024]);
    while !(closes && count == of) {
        let read = tokio::time::timeout(SILENCE, reader.read(&mut room)).await;
        match read.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(0) => return Heard { count, stopped: Some(Stop::Fin) },
            Err(error) => return Heard { count, stopped: Some(Stop::Error(error)) },
            Ok(got) => {
                for byte in &room[..got] {
                    if count >= of || *byte != plan.byte(peer, count) {
                        return Heard { count, stopped: Some(Stop::Wrong(count)) };
                    }
                    count += 1;
                }
            }
        }
    }
    Heard { count, stopped: None }
}
