//! Medians and percentiles of what was measured.

use std::time::Duration;

/// Some durations, in no order until they are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations(Vec<Duration>);

impl Durations {
    /// Adds one.
    pub fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// Adds all of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least one that is not below `per_cent` of them, as milliseconds (the nearest rank); none
    /// of none.
    pub fn percentile(&self, per_cent: usize) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * per_cent).div_ceil(100).max(1);
        sorted.get(rank - 1).map(|duration| duration.as_secs_f64() * 1000.0)
    }

    /// The one in the middle, as milliseconds; of two in the middle the mean.
    pub fn median(&self) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some((lower + upper).as_secs_f64() * 500.0)
    }
}

impl FromIterator<Duration> for Durations {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        Self(durations.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(millis: &[u64], median: Option<f64>, p99: Option<f64>) {
        let durations: Durations = millis.iter().copied().map(Duration::from_millis).collect();
        let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-9,
            (a, b) => a.is_none() && b.is_none(),
        };
        assert!(near(durations.median(), median), "{:?}", durations.median());
        assert!(near(durations.percentile(99), p99), "{:?}", durations.percentile(99));
    }

    #[test]
    fn medians_and_percentiles() {
        check(&[], None, None);
        check(&[7], Some(7.0), Some(7.0));
        check(&[9, 1], Some(5.0), Some(9.0));
        check(&[3, 1, 2], Some(2.0), Some(3.0));
        let hundred: Vec<_> = (1..=100).rev().collect();
        check(&hundred, Some(50.5), Some(99.0));
        let two_hundred: Vec<_> = (1..=200).collect();
        check(&two_hundred, Some(100.5), Some(198.0));
    }
}
