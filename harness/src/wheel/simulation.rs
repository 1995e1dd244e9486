//! The timer wheel and two of TCP's timers in it, tick by tick as the kernel runs them: what the arithmetic of this module is
//! tested against. It finds buckets by their index and knows nothing of [`super::expiry`].

use proptest::prelude::*;

use super::*;

/// INITIAL_JIFFIES with HZ=250: five minutes before the count overflows 32 bits.
const BOOT: u64 = (1 << 32) - 300 * 250;
const HZ: u32 = 250;
const TICK: Duration = Duration::from_millis(4);

/// `struct timer_base` with one timer.
struct Base {
    jiffies: u64,
    clk: u64,
    pending: Option<usize>,
}

impl Base {
    fn at(jiffies: u64) -> Base {
        Base { jiffies, clk: jiffies, pending: None }
    }

    /// `internal_add_timer`, `calc_wheel_index`; `forward_timer_base` has brought the clock to the tick count, or left it one
    /// ahead within a timer's own function.
    fn arm(&mut self, delay: u64) {
        let expires = self.jiffies + delay;
        let delta = expires - self.clk;
        let level = (0..8).find(|level| delta < 63 << (3 * level)).unwrap_or(8);
        let bucket = (expires >> (3 * level)) + 1;
        self.pending = Some(usize::try_from(level * 64 + bucket % 64).unwrap());
    }

    /// The next tick: `collect_expired_timers`. Whether the timer's function is to be called, with the clock one ahead.
    fn tick(&mut self) -> bool {
        self.jiffies += 1;
        let mut clk = self.jiffies;
        let mut fires = false;
        for level in 0..9 {
            fires |= self.pending == Some(usize::try_from(level * 64 + clk % 64).unwrap());
            if !clk.is_multiple_of(8) {
                break;
            }
            clk /= 8;
        }
        self.clk = self.jiffies + 1;
        if fires {
            self.pending = None;
        }
        fires
    }

    /// Behind its timers a tick's clock is the tick count again, as soon as it is asked for.
    fn forward(&mut self) {
        self.clk = self.jiffies;
    }
}

/// `tcp_keepalive_timer`, first armed at a tick, and `tcp_jiffies32` noted for each packet. How many ticks later it ends the
/// connection.
fn keepalive_dies(armed: u64, [idle, interval, probes]: [u32; 3], received: &[u64]) -> u64 {
    let mut base = Base::at(armed);
    let jiffies32 = |base: &Base| base.jiffies as u32;
    let mut heard = jiffies32(&base);
    let mut packets = received.iter().peekable();
    let mut out = 0;
    base.arm(u64::from(idle));
    loop {
        while packets.next_if(|at| armed + **at == base.jiffies).is_some() {
            heard = jiffies32(&base);
            out = 0;
        }
        if base.tick() {
            let elapsed = jiffies32(&base).wrapping_sub(heard);
            if elapsed >= idle {
                if out >= probes && packets.peek().is_none() {
                    return base.jiffies - armed;
                }
                out += 1;
                base.arm(u64::from(interval));
            } else {
                base.arm(u64::from(idle - elapsed));
            }
        }
        base.forward();
    }
}

/// `tcp_retransmit_timer` behind a first retransmission: the ticks of all further timeouts up to the one that ends it.
fn retransmits(first: u64, rto: u64, timeout: u64) -> Vec<u64> {
    let mut base = Base::at(first);
    base.clk += 1;
    let (mut rto, mut all) = (rto * 2, Vec::new());
    base.arm(rto);
    loop {
        if base.tick() {
            all.push(base.jiffies - first);
            if base.jiffies - first >= timeout {
                return all;
            }
            rto = (rto * 2).min(120 * 250);
            base.arm(rto);
        }
        base.forward();
    }
}

fn ticks_long(ticks: u64) -> Duration {
    TICK * u32::try_from(ticks).unwrap()
}

/// The known phase of a moment within a tick of the count.
fn phase(jiffies: u64, part: Duration) -> Phase {
    let since = ticks_long(jiffies % ROUND) + part;
    Phase::known(i64::try_from(since.as_nanos()).unwrap(), HZ)
}

#[test]
fn no_timer_of_tcp_lies_in_a_level_that_a_round_does_not_end() {
    // TCP_KEEPIDLE's longest, with the most ticks that a kernel can be built with (CONFIG_HZ_1000).
    assert_eq!(granularity(level(32_767 * 1000)), ROUND);
    assert_eq!((1 << 32) % ROUND, 0);
}

#[test]
fn the_count_at_boot_is_five_minutes_before_a_round() {
    assert_eq!(Phase::known(-300_000_000_000, HZ), phase(BOOT, Duration::ZERO));
}

#[test]
fn a_moment_at_the_beginning_of_a_tick_may_lie_in_the_tick_before() {
    let Phase::Known(since) = Phase::known(0, HZ) else { panic!("the phase is known") };
    assert_eq!(since + Duration::from_nanos(READING_NS.unsigned_abs()), ticks_long(ROUND));
}

proptest! {
    #[test]
    fn the_arithmetic_of_a_bucket_is_the_kernels(jiffies in BOOT - 10_000..BOOT + 100_000, delay in 1u64..40_000, own in any::<bool>()) {
        let mut base = Base::at(jiffies);
        base.clk += u64::from(own);
        base.arm(delay);
        let clk = base.clk;
        while !base.tick() {}
        prop_assert_eq!(base.jiffies, expiry(clk, jiffies + delay));
    }

    #[test]
    fn a_round_changes_no_phase(clock in 0u64..1 << 33, delay in 0u64..32_767 * 1000, rounds in 1u64..4096) {
        let later = rounds * ROUND;
        prop_assert_eq!(expiry(clock + later, clock + later + delay), expiry(clock, clock + delay) + later);
    }

    #[test]
    fn keepalive_dies_in_the_window_of_its_known_phase(
        // Some of these cases pass the overflow of 32 bits.
        armed in prop_oneof![0u64..ROUND, (1u64 << 32) - 6000..1 << 32], part in 0u64..3_999_000,
        idle in 1u64..12, interval in 1u64..8, probes in 1u32..4,
        gaps in prop::collection::vec(0u64..4_000_000_000, 0..4),
    ) {
        let part = Duration::from_nanos(part);
        let received: Vec<Duration> = gaps.iter().scan(0, |sum, gap| { *sum += gap; Some(Duration::from_nanos(*sum)) }).collect();
        let in_ticks: Vec<u64> = received.iter().map(|since| u64::try_from((part + *since).as_nanos() / TICK.as_nanos()).unwrap()).collect();
        let settings = [idle * 250, interval * 250, probes.into()].map(|n: u64| u32::try_from(n).unwrap());
        let died = ticks_long(keepalive_dies(armed, settings, &in_ticks)) - part;
        let since_last = died - received.last().copied().unwrap_or_default();

        let keepalive = Keepalive { idle: Duration::from_secs(idle), interval: Duration::from_secs(interval), probes };
        // The part of the tick need not be known.
        for known in [phase(armed, part), phase(armed, Duration::ZERO)] {
            let window = keepalive_death(keepalive, None, &received, known, HZ);
            prop_assert!(window.contains(since_last, Duration::ZERO), "{since_last:?} in {window:?}");
            let all = keepalive_death(keepalive, None, &received, Phase::Unknown, HZ);
            prop_assert!(all.earliest <= window.earliest && window.latest <= all.latest, "{window:?} in {all:?}");
        }
    }

    #[test]
    fn retransmission_dies_in_the_window_of_its_known_phase(
        first in prop_oneof![0u64..ROUND, (1u64 << 32) - 2000..1 << 32], late in 0u64..2_000_000, rto in 50u64..200, retries in 1u32..6,
    ) {
        let timeout = u64::try_from(model_timeout(retries, Duration::from_secs(120)).as_millis()).unwrap() / 4;
        let all = retransmits(first, rto, timeout);
        let (death, again) = all.split_last().unwrap();
        let seen: Vec<Duration> = again.iter().map(|ticks| ticks_long(*ticks)).collect();
        let rtos = seen.first().map_or(ticks_long(rto)..=ticks_long(rto), |gap| first_rto(*gap, HZ));
        let sent = Retransmission { rto: rtos, rto_max: Duration::from_secs(120), seen };
        let known = retransmission_death(&sent, retries, phase(first, Duration::from_nanos(late)), HZ);
        let died = ticks_long(*death);
        prop_assert!(known.contains(died, Duration::ZERO), "{died:?} in {known:?}");
        let unknown = retransmission_death(&sent, retries, Phase::Unknown, HZ);
        prop_assert!(unknown.earliest <= known.earliest && known.latest <= unknown.latest, "{known:?} in {unknown:?}");
    }
}
