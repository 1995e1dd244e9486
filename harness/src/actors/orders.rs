//! What the timeline says on standard input, to the connections that it concerns.

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::sync::mpsc;

use super::{Order, What};

/// Orders that wait for a connection that is busy.
pub const WAITING: usize = 64;

/// The orders that come on standard input.
pub struct Incoming(Lines<BufReader<Stdin>>);

impl Incoming {
    /// Begins to read them.
    #[must_use]
    pub fn new() -> Incoming {
        Incoming(BufReader::new(tokio::io::stdin()).lines())
    }

    /// The next one; none when none can come any more. It may be dropped before it is there.
    ///
    /// # Errors
    /// When standard input cannot be read.
    pub async fn next(&mut self) -> std::io::Result<Option<Order>> {
        while let Some(line) = self.0.next_line().await? {
            if let Ok(order) = serde_json::from_str(&line) {
                return Ok(Some(order));
            }
        }
        Ok(None)
    }
}

/// Hands orders on, `connections[0]` being number 1, until none can come any more.
///
/// # Errors
/// When standard input cannot be read.
pub async fn distribute(connections: &[mpsc::Sender<What>]) -> std::io::Result<()> {
    let mut orders = Incoming::new();
    while let Some(order) = orders.next().await? {
        hand_on(&order, connections).await;
    }
    Ok(())
}

/// Gives an order to the connections that it is for.
pub async fn hand_on(order: &Order, connections: &[mpsc::Sender<What>]) {
    for (number, connection) in (1..).zip(connections) {
        if order.connection.is_none_or(|wanted| wanted == number) {
            // A connection that has ended takes no orders.
            let _ = connection.send(order.what).await;
        }
    }
}

/// The next order; when none can come any more, it never does.
pub async fn next(orders: &mut mpsc::Receiver<What>) -> What {
    match orders.recv().await {
        Some(order) => order,
        None => std::future::pending().await,
    }
}
