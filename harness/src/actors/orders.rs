//! What the timeline says on standard input, to the connections that it concerns.

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use super::{Order, What};

/// Orders that wait for a connection that is busy.
pub const WAITING: usize = 64;

/// Hands orders on, `connections[0]` being number 1, until none can come any more.
///
/// # Errors
/// When standard input cannot be read.
pub async fn distribute(connections: &[mpsc::Sender<What>]) -> std::io::Result<()> {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(Order { connection, what }) = serde_json::from_str(&line) else { continue };
        for (number, order) in (1..).zip(connections) {
            if connection.is_none_or(|wanted| wanted == number) {
                // A connection that has ended takes no orders.
                let _ = order.send(what).await;
            }
        }
    }
    Ok(())
}

/// The next order; when none can come any more, it never does.
pub async fn next(orders: &mut mpsc::Receiver<What>) -> What {
    match orders.recv().await {
        Some(order) => order,
        None => std::future::pending().await,
    }
}
