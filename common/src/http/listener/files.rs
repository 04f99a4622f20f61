//! How many connections there is room for among the files that a process may have open.

/// What is left for everything else: the store, its readers, the log.
const OTHER_FILES: usize = 256;

/// Raises the number of files that this process may have open to what it is allowed. The number; none where it
/// is not known.
#[cfg(unix)]
pub(crate) fn raise_limit() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The same where there is no such number.
#[cfg(not(unix))]
pub(crate) fn raise_limit() -> Option<usize> {
    None
}

/// How many connections there may be at once: as many as are wanted, within what the files leave room for.
pub(crate) fn connections_at_most(wanted: usize, files: Option<usize>) -> usize {
    let Some(files) = files else { return wanted };
    let room = files.saturating_sub(OTHER_FILES).max(files / 4);
    wanted.min(room).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        for (wanted, files, expected) in [
            (2_048, None, 2_048),
            (2_048, Some(1_048_576), 2_048),
            (2_048, Some(1_024), 768),
            (2_048, Some(256), 64),
            (2_048, Some(64), 16),
            (2_048, Some(0), 1),
            (10, Some(1_024), 10),
        ] {
            assert_eq!(connections_at_most(wanted, files), expected, "{wanted} {files:?}");
        }
    }
}
