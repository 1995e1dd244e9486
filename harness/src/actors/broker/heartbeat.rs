//! Heartbeats as RabbitMQ keeps them (rabbit_heartbeat.erl): two watchers, each of which looks at a counter of octets again and
//! again, and never at a single frame.
//!
//! The sender looks every half interval (`start_heartbeat_sender/4`) and sends when the counter stands as it stood. The receiver
//! looks every interval and gives up at the second look in a row at which nothing has come (`start_heartbeat_receiver/4`), so
//! between two and three intervals after the last octet.

use std::time::Duration;

use tokio::time::Instant;

/// One watcher.
#[derive(Debug)]
pub struct Watcher {
    every: Duration,
    /// Looks without a change that are let pass.
    patience: u32,
    /// A sender does at its first look what it is for, whatever was sent (`heartbeater/3`).
    eager: bool,
    seen: u64,
    same: u32,
    /// When it looks next.
    pub next: Instant,
}

impl Watcher {
    /// Watches what is sent, for a heartbeat of so many seconds.
    pub fn sender(heartbeat_s: u16) -> Self {
        Self::new(Duration::from_millis(u64::from(heartbeat_s) * 1000 / 2), 0, true)
    }

    /// Watches what is received.
    pub fn receiver(heartbeat_s: u16) -> Self {
        Self::new(Duration::from_secs(u64::from(heartbeat_s)), 1, false)
    }

    fn new(every: Duration, patience: u32, eager: bool) -> Self {
        Self { every, patience, eager, seen: 0, same: 0, next: Instant::now() + every }
    }

    /// Looks at the counter; true when the time has come to send, or to give up.
    pub fn look(&mut self, octets: u64) -> bool {
        self.next = Instant::now() + self.every;
        let before = std::mem::replace(&mut self.seen, octets);
        if self.eager && before == 0 {
            return true;
        }
        if octets != before {
            self.same = 0;
        } else if self.same < self.patience {
            self.same += 1;
        } else {
            self.same = 0;
            return true;
        }
        false
    }

    /// What the watcher itself has sent is no sign of life.
    pub fn sent(&mut self, octets: u64) {
        self.seen = octets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(mut watcher: Watcher, octets: &[u64]) -> Vec<bool> {
        octets.iter().map(|&octets| watcher.look(octets)).collect()
    }

    #[tokio::test]
    async fn a_receiver_gives_up_at_the_second_look_in_a_row_without_an_octet() {
        assert_eq!(looks(Watcher::receiver(60), &[10, 20, 20, 20]), [false, false, false, true]);
    }

    #[tokio::test]
    async fn an_octet_between_two_looks_saves_the_connection() {
        assert_eq!(looks(Watcher::receiver(60), &[10, 10, 11, 11, 12]), [false; 5]);
    }

    #[tokio::test]
    async fn a_sender_sends_when_nothing_was_sent_since_its_last_look_its_own_heartbeat_aside() {
        let mut watcher = Watcher::sender(60);
        assert!(watcher.look(500), "its first look is always one to send at");
        watcher.sent(508);
        assert!(watcher.look(508));
        watcher.sent(516);
        assert!(!watcher.look(700), "something else was sent");
        assert!(watcher.look(700));
    }

    #[tokio::test]
    async fn a_sender_looks_each_half_interval_and_a_receiver_each_interval() {
        assert_eq!(Watcher::sender(5).every, Duration::from_millis(2500));
        assert_eq!(Watcher::receiver(5).every, Duration::from_secs(5));
    }
}
