//! What the command line did, for the audit log.

use std::collections::BTreeMap;

use backdrop_common::audit::{AuditAction, AuditEntry, OPERATOR};
use backdrop_common::bucket::seed::BucketSeed;
use backdrop_common::bucket::{Bucket, BucketName, BucketTokens, TokenChange};
use backdrop_common::storage::StorageEngine;
use backdrop_common::telemetry::tell;
use backdrop_common::timestamp::Timestamp;
use backdrop_common::user::User;

/// One thing that was done to a bucket.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Deed {
    pub(super) action: AuditAction,
    pub(super) bucket: BucketName,
    /// In a few words. No token.
    pub(super) detail: String,
}

impl Deed {
    pub(super) fn new(action: AuditAction, bucket: &BucketName, detail: impl Into<String>) -> Self {
        Self { action, bucket: bucket.clone(), detail: detail.into() }
    }
}

/// Records what was done. That it cannot be recorded is only told: it is done all the same, and must
/// not be done again for that.
pub(super) async fn record(engine: &dyn StorageEngine, deeds: impl IntoIterator<Item = Deed>) {
    for Deed { action, bucket, detail } in deeds {
        let entry = AuditEntry {
            at: Timestamp::now(),
            by: OPERATOR.to_owned(),
            action,
            bucket: Some(bucket),
            detail,
            address: None,
            request_id: None,
        };
        if let Err(error) = engine.record_audit(entry).await {
            tell(format_args!("this is done, but it is not in the audit log: {error}"));
            return;
        }
    }
}

/// What importing a seed file does to the buckets that were there before.
pub(super) fn imported(before: &[Bucket], seeds: &[BucketSeed]) -> Vec<Deed> {
    const IMPORT: &str = "from a seed file";
    let mut deeds = Vec::new();
    for BucketSeed { config, token, .. } in seeds {
        let deed = |action| Deed::new(action, &config.name, IMPORT);
        let known = before.iter().find(|bucket| bucket.config.name == config.name);
        match known {
            None => deeds.push(deed(AuditAction::CreateBucket)),
            Some(known) if known.config != *config => deeds.push(deed(AuditAction::ChangeBucket)),
            Some(_) => {}
        }
        let had_tokens = known.is_some_and(|known| known.tokens != BucketTokens::default());
        match token {
            TokenChange::Set(_) => deeds.push(deed(AuditAction::MakeToken)),
            TokenChange::Remove if had_tokens => deeds.push(deed(AuditAction::RevokeToken)),
            _ => {}
        }
    }
    deeds
}

/// What was granted to people, and taken from them, between two lists of users.
pub(super) fn granted(before: &[User], after: &[User]) -> Vec<Deed> {
    let before: BTreeMap<&str, &[BucketName]> =
        before.iter().map(|user| (user.email.as_str(), user.buckets.as_slice())).collect();
    let mut deeds = Vec::new();
    for User { email, buckets } in after {
        let had = before.get(email.as_str()).copied().unwrap_or_default();
        let without = |some: &[BucketName], others: &[BucketName], action| {
            let new = some.iter().filter(|bucket| !others.contains(bucket));
            new.map(|bucket| Deed::new(action, bucket, email)).collect::<Vec<_>>()
        };
        deeds.extend(without(buckets, had, AuditAction::Grant));
        deeds.extend(without(had, buckets, AuditAction::Revoke));
    }
    deeds
}

#[cfg(test)]
mod tests {
    use backdrop_common::bucket::seed::parse_seeds;
    use backdrop_common::token::TokenHash;

    use super::*;

    fn shown(deeds: &[Deed]) -> String {
        let shown = |deed: &Deed| format!("{} {}: {}", deed.action.name(), deed.bucket, deed.detail);
        deeds.iter().map(shown).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_an_import_does() {
        let seeds = |json: &str| parse_seeds(json).expect(json);
        let before: Vec<Bucket> = seeds(r#"[{"name": "foo"}, {"name": "bar"}]"#)
            .into_iter()
            .map(|seed| Bucket { config: seed.config, tokens: BucketTokens::default() })
            .collect();
        let tokens = BucketTokens::only(TokenHash::new(&"tok-foo".to_owned().into()));
        let before = [Bucket { tokens, ..before[0].clone() }, before[1].clone()];
        let check =
            |json: &str, expected: &str| assert_eq!(shown(&imported(&before, &seeds(json))), expected);
        check("[]", "");
        check(r#"[{"name": "foo"}]"#, "");
        check(r#"[{"name": "foo", "realtime": true}]"#, "change bucket foo: from a seed file");
        check(r#"[{"name": "new"}]"#, "create bucket new: from a seed file");
        check(r#"[{"name": "foo", "bearer_token": "tok"}]"#, "make token foo: from a seed file");
        check(r#"[{"name": "foo", "bearer_token": null}]"#, "revoke token foo: from a seed file");
        check(r#"[{"name": "bar", "bearer_token": null}]"#, "");
        check(
            r#"[{"name": "new", "bearer_token": "tok"}, {"name": "bar", "queryable": false}]"#,
            "create bucket new: from a seed file; make token new: from a seed file; change bucket bar: from a seed file",
        );
    }

    #[test]
    fn what_is_granted_and_taken() {
        let user = |email: &str, buckets: &[&str]| User {
            email: email.to_owned(),
            buckets: buckets.iter().map(|bucket| BucketName::parse(bucket).expect("a name")).collect(),
        };
        let before = [user("ann@b", &["foo", "bar"]), user("bob@b", &["foo"])];
        let check = |after: &[User], expected: &str| assert_eq!(shown(&granted(&before, after)), expected);
        check(&[], "");
        check(&before, "");
        check(&[user("ann@b", &["bar", "foo"]), user("new@b", &[])], "");
        check(&[user("ann@b", &["bar", "new"])], "grant new: ann@b; revoke foo: ann@b");
        check(&[user("new@b", &["foo"]), user("bob@b", &[])], "grant foo: new@b; revoke foo: bob@b");
    }
}
