//! The timeline's verbs. A further one is one file here and one line in [`STEPS`]; each fault has its opposite.

mod close;
mod cut;
mod destroy;
mod forget;
mod freeze;
mod half_close;
mod idle;
mod kill;
mod operate;
mod power;
mod publish;
mod reading;
mod reload;
mod send;
mod shape;
mod shutdown_sessions;
mod soft_stop;
mod start;
mod unplug;
mod wait;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::actors::What;
use crate::lab::{Error, Lab};
use crate::scenario::Word;

/// The verb that changes what a wire does to packets.
pub const SHAPE: &str = shape::SHAPE.name;

/// A step being played.
pub type Playing<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

/// One step of a timeline, as its verb decoded it.
pub trait Verb: Debug + Send + Sync {
    /// The client or service that it orders about, and to do what.
    fn order(&self) -> Option<(&str, What)> {
        None
    }

    /// The service, client, node or wire that it is done to.
    fn object(&self) -> Option<&str> {
        self.order().map(|(name, _)| name)
    }

    /// How long it takes on the case's clock, at least and at most; what is over in a moment takes nothing.
    fn lasts(&self) -> [Duration; 2] {
        [Duration::ZERO; 2]
    }

    /// Plays the step.
    fn play<'a>(&'a self, lab: &'a mut Lab) -> Playing<'a>;
}

/// The verbs that there are.
pub const STEPS: &[Word<Arc<dyn Verb>>] = &[
    send::SEND,
    publish::PUBLISH,
    idle::IDLE,
    wait::WAIT,
    cut::CUT,
    cut::RESTORE,
    shape::SHAPE,
    unplug::UNPLUG,
    unplug::PLUG,
    kill::KILL,
    kill::TERMINATE,
    soft_stop::SOFT_STOP,
    reload::RELOAD,
    shutdown_sessions::SHUTDOWN_SESSIONS,
    operate::OPERATE,
    freeze::FREEZE,
    freeze::THAW,
    forget::FORGET,
    power::POWER_OFF,
    power::REBOOT,
    start::START,
    close::CLOSE,
    close::RESET,
    half_close::HALF_CLOSE,
    reading::STOP_READING,
    reading::RESUME_READING,
    destroy::DESTROY,
];

/// Faults that last, each with what ends it, by name.
pub const LASTING: &[(&str, &str)] = &[
    (cut::CUT.name, cut::RESTORE.name),
    (unplug::UNPLUG.name, unplug::PLUG.name),
    (freeze::FREEZE.name, freeze::THAW.name),
    (power::POWER_OFF.name, power::REBOOT.name),
    (kill::KILL.name, start::START.name),
    (reading::STOP_READING.name, reading::RESUME_READING.name),
];
