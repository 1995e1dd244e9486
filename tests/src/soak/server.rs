//! All servers of one place: each connection says which session it is, and is answered as that session's plan has it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::plan::{Plan, Side};
use super::talk::talk;
use super::tell;

/// Serves for ever.
///
/// # Errors
/// When the port is taken.
pub async fn serve(seed: u64, port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    let seen = Arc::new(Mutex::new(HashSet::new()));
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(one(seed, stream, seen.clone()));
    }
}

async fn one(seed: u64, mut stream: TcpStream, seen: Arc<Mutex<HashSet<u64>>>) {
    // A client that is gone before it has said who it is had no session.
    let Ok(id) = stream.read_u64().await else { return };
    if seen.lock().is_ok_and(|mut seen| !seen.insert(id)) {
        println!("{{\"doubled\":{id}}}");
    }
    let plan = Plan::of(seed, id);
    if let Some(short) = talk(&plan, Side::Server, stream).await.short {
        tell(&short);
    }
}
