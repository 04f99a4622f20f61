//! How long clients may take, and how many there may be at once.

use std::time::Duration;

/// The bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How long a connection may be open between two requests.
    pub(super) idle: Duration,
    /// How long a head may take to arrive, from its first byte on.
    pub(super) head: Duration,
    /// How long a client may send nothing of a body, or take nothing of an answer.
    pub(super) still: Duration,
    /// After so long a wait for a client, in all, it is looked how much came of it.
    pub(super) window: Duration,
    /// How many bytes of a body or an answer have to pass within that time.
    pub(super) window_bytes: u64,
    /// How long a stop waits for a client, in all, and for the answers to those who only ask.
    pub(super) stop: Duration,
    /// How long a stop waits for what is being stored.
    pub(super) stop_storing: Duration,
    /// How often all connections are looked at.
    pub(super) look_every: Duration,
    /// The same while the app is told to end.
    pub(super) look_every_at_stop: Duration,
    /// How long a client is waited for in the middle of a body or an answer before its connection may be closed
    /// for a new one.
    pub(super) gives_way: Duration,
    /// How many connections there may be at once.
    pub(super) connections: usize,
    /// How many more there may be beside them, which are answered about the app's health only.
    pub(super) reserve: usize,
}

impl Bounds {
    /// The bounds with so many connections at once.
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            idle: Duration::from_secs(75),
            head: Duration::from_secs(10),
            still: Duration::from_secs(30),
            window: Duration::from_mins(1),
            window_bytes: 60_000,
            stop: Duration::from_secs(4),
            stop_storing: Duration::from_mins(1),
            look_every: Duration::from_secs(1),
            look_every_at_stop: Duration::from_millis(50),
            gives_way: Duration::from_secs(5),
            connections,
            reserve: (connections / 8).clamp(2, 32),
        }
    }
}
