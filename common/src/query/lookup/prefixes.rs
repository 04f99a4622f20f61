//! Whether a text begins with one of some prefixes, found by halving and not by trying each.

use super::cost;

/// Prefixes, sorted, none of which begins with another: so the last that does not come after a text is the
/// only one that the text may begin with.
#[derive(Debug)]
pub(crate) struct Prefixes<'q> {
    /// What all begin with.
    common: &'q [u8],
    /// What of each comes after that.
    rests: Vec<&'q [u8]>,
    /// The first bytes of those as numbers, which is all that most comparisons need to look at.
    beginnings: Vec<u64>,
}

impl<'q> Prefixes<'q> {
    pub(crate) fn new(prefixes: &'q [Box<str>]) -> Self {
        let mut rests: Vec<&[u8]> = prefixes.iter().map(|prefix| prefix.as_bytes()).collect();
        rests.sort_unstable();
        rests.dedup_by(|later, earlier| later.starts_with(earlier));
        let common = match (rests.first(), rests.last()) {
            (Some(first), Some(last)) => {
                let alike = first.iter().zip(*last).take_while(|(a, b)| a == b).count();
                &first[..alike]
            }
            _ => &[],
        };
        for rest in &mut rests {
            *rest = &rest[common.len()..];
        }
        let beginnings = rests.iter().map(|rest| beginning(rest)).collect();
        Self { common, rests, beginnings }
    }

    /// Whether any of them begins a text.
    #[inline]
    pub(crate) fn begin(&self, text: &str) -> bool {
        let Some(text) = text.as_bytes().strip_prefix(self.common) else {
            cost::compared();
            return false;
        };
        let wanted = beginning(text);
        let compared = |beginning: &u64, may_be_equal: bool| {
            cost::compared();
            *beginning < wanted || may_be_equal && *beginning == wanted
        };
        let mut after = self.beginnings.partition_point(|known| compared(known, true));
        if after > 0 && self.beginnings[after - 1] == wanted {
            let first = self.beginnings[..after].partition_point(|known| compared(known, false));
            after = first
                + self.rests[first..after].partition_point(|rest| {
                    cost::compared();
                    *rest <= text
                });
        }
        after.checked_sub(1).is_some_and(|last| text.starts_with(self.rests[last]))
    }
}

/// The first eight bytes as a number, in the same order; where there are fewer, with zeros after them.
#[inline]
fn beginning(bytes: &[u8]) -> u64 {
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut padded = [0; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    u64::from_be_bytes(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(prefixes: &[&str], text: &str, expected: bool) {
        let owned: Vec<Box<str>> = prefixes.iter().map(|prefix| Box::from(*prefix)).collect();
        assert_eq!(Prefixes::new(&owned).begin(text), expected, "{prefixes:?} of {text:?}");
    }

    #[test]
    fn what_begins_with_a_prefix() {
        check(&[], "a", false);
        check(&[""], "", true);
        check(&["", "b"], "a", true);
        check(&["ab", "abc", "b"], "abd", true);
        check(&["ab", "ad"], "ac", false);
        check(&["ab", "ad"], "a", false);
        check(&["a\0", "b"], "a", false);
        check(&["a", "b"], "a\0", true);
        check(&["common-1", "common-2"], "common-22", true);
        check(&["common-1", "common-2"], "common-", false);
        check(&["same-beginning-1", "same-beginning-3", "x"], "same-beginning-2", false);
        check(&["same-beginning-1", "same-beginning-3", "x"], "same-beginning-30", true);
        check(&["é", "è"], "ê", false);
    }
}
