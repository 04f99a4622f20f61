//! What a connection is doing, and since when; and what is too long. It does no IO and has no clock.

use std::time::Duration;

use rocket::tokio::time::Instant;

use super::bounds::Bounds;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for a request.
    Idle,
    /// The head of a request is on its way.
    Head,
    /// A request is answered.
    Answering {
        /// Whether the request may store something, which is then finished and answered.
        stores: bool,
    },
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No more of the body is read; whoever reads it is told that it was cut off.
    EndBody,
    /// The connection is closed at once.
    Close,
}

/// The time that one side of a connection is waited for, and what came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waits {
    since: Option<Instant>,
    /// How long the waits before this one took, within a window.
    waited: Duration,
    /// What passed within that window.
    bytes: u64,
}

impl Waits {
    pub(super) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Some bytes passed.
    pub(super) fn end(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now - since;
        }
        self.bytes += bytes as u64;
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// How long it is waited for all in all, within the window.
    fn total(&self, now: Instant) -> Duration {
        self.waited + self.since.map_or(Duration::ZERO, |since| now - since)
    }

    /// Begins to count anew.
    fn reset(&mut self, now: Instant) {
        *self = Self { since: self.since.map(|_| now), ..Self::default() };
    }

    /// Whether a client takes too long. A window that was good enough is followed by the next, so nobody
    /// saves up time by being fast at first.
    fn is_too_long(&mut self, now: Instant, bounds: &Bounds) -> bool {
        if self.since.is_some_and(|since| now - since >= bounds.still) {
            return true;
        }
        if self.total(now) < bounds.window {
            return false;
        }
        let is_too_slow = self.bytes < bounds.window_bytes;
        if !is_too_slow {
            // A silence that began before goes on.
            *self = Self { since: self.since, ..Self::default() };
        }
        is_too_slow
    }
}

/// What a connection is doing, and for how long it has.
#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// When the phase began.
    since: Instant,
    /// When the connection was accepted, or its last answer was done.
    quiet_since: Instant,
    pub(super) reading: Waits,
    pub(super) writing: Waits,
    /// When the app was told to end.
    stopped: Option<Instant>,
    body_ended: bool,
}

impl State {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Idle,
            since: now,
            quiet_since: now,
            reading: Waits::default(),
            writing: Waits::default(),
            stopped: None,
            body_ended: false,
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Instant) {
        if phase == Phase::Idle {
            self.quiet_since = now;
        }
        if let Phase::Answering { .. } = phase {
            // hyper may wait for the body before the request is given to anybody.
            self.reading.reset(now);
            self.writing.reset(now);
        }
        (self.phase, self.since) = (phase, now);
    }

    /// Since when the client was waited for, if nothing else is under way. Who has been so for the longest makes
    /// room for others first; in the middle of a body or an answer only after a while.
    pub(super) fn quiet(&self, now: Instant, bounds: &Bounds) -> Option<Instant> {
        let is_answering = matches!(self.phase, Phase::Answering { .. });
        if !is_answering && !self.writing.is_waiting() {
            return Some(self.quiet_since);
        }
        let waits = [self.reading.since.filter(|_| is_answering), self.writing.since];
        waits.into_iter().flatten().min().filter(|since| now - *since >= bounds.gives_way)
    }

    /// The app is told to end.
    pub(super) fn stop(&mut self, now: Instant) {
        if self.stopped.is_none() {
            self.stopped = Some(now);
            self.reading.reset(now);
            self.writing.reset(now);
        }
    }

    /// What is to become of the connection, if it has taken too long.
    pub(super) fn verdict(&mut self, now: Instant, bounds: &Bounds) -> Option<Verdict> {
        if let Some(stopped) = self.stopped {
            return self.verdict_at_stop(now - stopped, now, bounds);
        }
        let in_phase = now - self.since;
        let is_over = match self.phase {
            Phase::Idle => in_phase >= bounds.idle && !self.writing.is_waiting(),
            Phase::Head => in_phase >= bounds.head,
            Phase::Answering { .. } => false,
        };
        if is_over || self.writing.is_too_long(now, bounds) {
            return Some(Verdict::Close);
        }
        let is_answering = matches!(self.phase, Phase::Answering { .. });
        let ends_body = is_answering && !self.body_ended && self.reading.is_too_long(now, bounds);
        ends_body.then(|| self.end_body())
    }

    /// The same while the app ends: idle connections at once, those who ask within a bound, and what is
    /// stored when it is stored, unless it waits for its client.
    fn verdict_at_stop(&mut self, stopping: Duration, now: Instant, bounds: &Bounds) -> Option<Verdict> {
        let patience = match self.phase {
            Phase::Idle | Phase::Head if !self.writing.is_waiting() => return Some(Verdict::Close),
            Phase::Answering { stores: true } => bounds.stop_storing,
            Phase::Idle | Phase::Head | Phase::Answering { stores: false } => bounds.stop,
        };
        let waited = self.reading.total(now) + self.writing.total(now);
        if stopping >= patience || waited >= bounds.stop {
            return Some(Verdict::Close);
        }
        // Some of the time is left for the answer that says so.
        let ends_body = !self.body_ended && self.reading.total(now) >= bounds.stop * 3 / 4;
        ends_body.then(|| self.end_body())
    }

    fn end_body(&mut self) -> Verdict {
        self.body_ended = true;
        Verdict::EndBody
    }

    /// Whether no more of a body is to be read.
    pub(super) fn has_ended_body(&self) -> bool {
        self.body_ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERING: Phase = Phase::Answering { stores: false };

    /// What becomes of a connection that was accepted at second 0.
    struct Case {
        begun: Instant,
        state: State,
        bounds: Bounds,
    }

    impl Case {
        fn new() -> Self {
            let begun = Instant::now();
            Self { begun, state: State::new(begun), bounds: Bounds::new(10) }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.begun + Duration::from_secs(seconds)
        }

        #[track_caller]
        fn check(&mut self, seconds: u64, expected: Option<Verdict>) {
            let now = self.at(seconds);
            assert_eq!(self.state.verdict(now, &self.bounds), expected, "at {seconds}");
        }

        /// A client that sends, or takes, some bytes every few seconds, looked at each second; the second in
        /// which that ends.
        fn drip(&mut self, every: u64, bytes: usize, waits: fn(&mut State) -> &mut Waits) -> Option<u64> {
            let now = self.at(0);
            self.state.enter(ANSWERING, now);
            waits(&mut self.state).begin(now);
            (1..600).find(|second| {
                let now = self.at(*second);
                if second % every == 0 {
                    waits(&mut self.state).end(bytes, now);
                    waits(&mut self.state).begin(now);
                }
                self.state.verdict(now, &self.bounds).is_some()
            })
        }
    }

    #[test]
    fn a_connection_without_a_request_is_closed_in_the_end() {
        let mut case = Case::new();
        case.check(74, None);
        case.check(75, Some(Verdict::Close));
    }

    #[test]
    fn a_head_has_ten_seconds_from_its_first_byte_on() {
        let mut case = Case::new();
        case.state.enter(Phase::Head, case.at(70));
        case.check(79, None);
        case.check(80, Some(Verdict::Close));
    }

    #[test]
    fn a_request_that_is_worked_on_has_time() {
        let mut case = Case::new();
        case.state.enter(ANSWERING, case.at(1));
        case.check(500, None);
        case.state.enter(Phase::Idle, case.at(501));
        case.check(575, None);
        case.check(576, Some(Verdict::Close));
    }

    #[test]
    fn a_body_or_an_answer_that_drips_comes_to_an_end() {
        let sides: [fn(&mut State) -> &mut Waits; 2] =
            [|state| &mut state.reading, |state| &mut state.writing];
        for side in sides {
            for (every, bytes, expected) in [
                (600, 0, Some(30)),
                (29, 1, Some(60)),
                (5, 1, Some(60)),
                (1, 999, Some(60)),
                (1, 1_001, None),
                (20, 20_001, None),
            ] {
                assert_eq!(Case::new().drip(every, bytes, side), expected, "{bytes} bytes every {every} s");
            }
        }
    }

    #[test]
    fn nobody_saves_up_time_by_being_fast_at_first() {
        let mut case = Case::new();
        case.state.enter(ANSWERING, case.at(0));
        case.state.reading.begin(case.at(0));
        case.state.reading.end(9_000_000, case.at(1));
        let mut ended = None;
        for second in 1..200 {
            case.state.reading.begin(case.at(second));
            if let Some(verdict) = case.state.verdict(case.at(second), &case.bounds) {
                ended = Some((second, verdict));
                break;
            }
            case.state.reading.end(1, case.at(second));
            case.state.reading.begin(case.at(second));
        }
        assert_eq!(ended, Some((119, Verdict::EndBody)), "the window after the good one");
    }

    #[test]
    fn a_body_that_is_waited_for_before_the_request_is_given_to_anybody_counts() {
        let mut case = Case::new();
        let (waits, begun) = (case.at(0), case.at(1));
        case.state.reading.begin(waits);
        case.state.enter(ANSWERING, begun);
        case.check(30, None);
        case.check(31, Some(Verdict::EndBody));
    }

    #[test]
    fn a_body_is_ended_once_and_then_the_answer_counts() {
        let mut case = Case::new();
        case.state.enter(ANSWERING, case.at(0));
        case.state.reading.begin(case.at(0));
        case.check(30, Some(Verdict::EndBody));
        case.check(100, None);
        case.state.writing.begin(case.at(100));
        case.check(130, Some(Verdict::Close));
    }

    #[test]
    fn an_answer_that_nobody_reads_is_no_idle_connection() {
        let mut case = Case::new();
        case.state.enter(ANSWERING, case.at(0));
        case.state.writing.begin(case.at(1));
        case.state.enter(Phase::Idle, case.at(2));
        assert_eq!(case.state.quiet(case.at(5), &case.bounds), None);
        assert_eq!(case.state.quiet(case.at(6), &case.bounds), Some(case.at(1)));
        case.check(30, None);
        case.check(31, Some(Verdict::Close));
    }

    #[test]
    fn who_is_waited_for_makes_room() {
        let mut case = Case::new();
        assert_eq!(case.state.quiet(case.at(1), &case.bounds), Some(case.at(0)));
        case.state.enter(Phase::Head, case.at(2));
        assert_eq!(case.state.quiet(case.at(3), &case.bounds), Some(case.at(0)));
        case.state.enter(ANSWERING, case.at(4));
        assert_eq!(case.state.quiet(case.at(100), &case.bounds), None, "it is worked on");
        let begun = case.at(101);
        case.state.reading.begin(begun);
        assert_eq!(case.state.quiet(case.at(105), &case.bounds), None, "not for long");
        assert_eq!(case.state.quiet(case.at(106), &case.bounds), Some(begun));
    }

    #[test]
    fn at_a_stop_what_waits_is_closed_and_what_stores_is_finished() {
        let stores = Phase::Answering { stores: true };
        for (phase, closed) in [(Phase::Idle, 0), (Phase::Head, 0), (ANSWERING, 4), (stores, 60)] {
            let mut case = Case::new();
            case.state.enter(phase, case.at(0));
            case.state.stop(case.at(10));
            if closed > 0 {
                case.check(10 + closed - 1, None);
            }
            case.check(10 + closed, Some(Verdict::Close));
        }
    }

    #[test]
    fn a_stop_waits_four_seconds_for_a_client_in_all() {
        let stores = Phase::Answering { stores: true };
        for (waits, first) in [
            ((|state| &mut state.reading) as fn(&mut State) -> &mut Waits, Some(Verdict::EndBody)),
            (|state| &mut state.writing, None),
        ] {
            let mut case = Case::new();
            case.state.enter(stores, case.at(0));
            let begun = case.at(1);
            waits(&mut case.state).begin(begun);
            case.state.stop(case.at(10));
            case.check(12, None);
            case.check(13, first);
            case.check(14, Some(Verdict::Close));
        }
    }
}
