//! What a storage engine does with buckets and users.

use super::{TestBucket, addressed, bucket_at, bucket_named, config, name, save};
use crate::bucket::{Bucket, BucketConfig, BucketName, BucketTokens, TokenChange, UploadFormat};
use crate::storage::{BucketSave, Expected, StorageEngine, StorageError, StorageErrorKind, Stored};
use crate::token::TokenHash;
use crate::user::{GrantChange, User};

pub(super) async fn suite(engine: &dyn StorageEngine) {
    a_bucket_is_found_at_both_addresses(engine).await;
    buckets_come_in_the_order_of_their_first_saving(engine).await;
    a_configuration_is_kept_and_replaced_whole(engine).await;
    two_buckets_swap_addresses_in_one_call(engine).await;
    a_taken_address_saves_nothing(engine).await;
    what_is_not_as_expected_saves_nothing(engine).await;
    a_deleted_bucket_takes_everything_with_it(engine).await;
    users_come_by_email(engine).await;
    a_user_is_replaced(engine).await;
    a_grant_of_an_unknown_bucket_saves_nothing(engine).await;
    grants_are_added_and_taken_away(engine).await;
    no_grant_of_many_at_once_is_lost(engine).await;
}

async fn a_bucket_is_found_at_both_addresses(engine: &dyn StorageEngine) {
    save(engine, addressed("found", "Group of found", "type é")).await;
    let found = |bucket: Option<Bucket>| bucket.map(|bucket| bucket.config.name);
    let by_name = |text| async move { found(bucket_named(engine, text).await) };
    let by_type = |group, kind| async move { found(bucket_at(engine, group, kind).await) };
    assert_eq!(by_name("found").await, Some(name("found")));
    assert_eq!(by_type("Group of found", "type é").await, Some(name("found")));
    for other in ["Found", "foun", "founds"] {
        assert_eq!(by_name(other).await, None, "{other}");
    }
    for (group, kind) in [
        ("type é", "Group of found"),
        ("group of found", "type é"),
        ("Group of found", ""),
        ("Group of found", "type"),
        ("", ""),
    ] {
        assert_eq!(by_type(group, kind).await, None, "{group}/{kind}");
    }
}

async fn buckets_come_in_the_order_of_their_first_saving(engine: &dyn StorageEngine) {
    let saves = |names: &[&str]| {
        let save = |name: &&str| BucketSave::new(config(name), TokenChange::Keep);
        engine.save_buckets(names.iter().map(save).collect())
    };
    saves(&["order.zz", "order.mm"]).await.expect("saved");
    saves(&["order.aa", "order.mm"]).await.expect("saved");
    saves(&[]).await.expect("nothing to save");
    assert_eq!(buckets_with(engine, "order.").await, ["order.zz", "order.mm", "order.aa"]);
}

/// The names of the buckets that start with a text, in their order.
async fn buckets_with(engine: &dyn StorageEngine, prefix: &str) -> Vec<String> {
    let buckets = engine.buckets().await.expect("buckets");
    let names = buckets.iter().map(|bucket| bucket.name().to_string());
    names.filter(|name| name.starts_with(prefix)).collect()
}

async fn a_configuration_is_kept_and_replaced_whole(engine: &dyn StorageEngine) {
    let full = BucketConfig {
        raw_queries_allowed: true,
        queryable: false,
        published: false,
        realtime: true,
        capped_size: Some(4_000_000_000_000),
        auto_ids: vec!["_timestamp".to_owned(), "kind".to_owned()],
        upload_format: UploadFormat::Excel,
        upload_filters: vec!["some.filter".to_owned()],
        max_age_expected: None,
        schema: Some(serde_json::json!({"type": "object", "required": ["kind"]}).into()),
        ..addressed("replaced", "replaced group", "replaced type")
    };
    let bucket = TestBucket::configured(engine, full.clone()).await;
    bucket.store(r#"{"_id": "aa"}"#).await;
    let saved = |bucket: Option<Bucket>| bucket.map(|bucket| bucket.config);
    assert_eq!(saved(bucket_named(engine, "replaced").await), Some(full));
    save(engine, config("replaced")).await;
    assert_eq!(saved(bucket_named(engine, "replaced").await), Some(config("replaced")));
    assert!(bucket_at(engine, "replaced group", "replaced type").await.is_none());
    assert_eq!(bucket.ids("").await, "aa", "records stay");
}

async fn two_buckets_swap_addresses_in_one_call(engine: &dyn StorageEngine) {
    let pair = |one: &str, two: &str| {
        let save = |name, kind| BucketSave::new(addressed(name, "swapped", kind), TokenChange::Keep);
        vec![save("swap.one", one), save("swap.two", two)]
    };
    engine.save_buckets(pair("aa", "bb")).await.expect("saved");
    engine.save_buckets(pair("bb", "aa")).await.expect("swapped");
    for (kind, holder) in [("aa", "swap.two"), ("bb", "swap.one")] {
        let bucket = bucket_at(engine, "swapped", kind).await.expect("a bucket");
        assert_eq!(bucket.name(), &name(holder), "{kind}");
    }
}

async fn a_taken_address_saves_nothing(engine: &dyn StorageEngine) {
    save(engine, addressed("taken.holder", "taken", "it")).await;
    save(engine, addressed("taken.known", "taken", "other")).await;
    let changed = BucketConfig { queryable: false, ..addressed("taken.known", "taken", "third") };
    for rival in ["taken.known", "taken.new"] {
        let calls = [config("taken.first"), changed.clone(), addressed(rival, "taken", "it")];
        let saves = calls.map(|config| BucketSave::new(config, TokenChange::Keep));
        let refused = engine.save_buckets(saves.into()).await.expect_err("a taken address");
        assert_eq!(refused.kind(), StorageErrorKind::AlreadyExists);
        assert!(refused.to_string().contains("\"taken.holder\""), "{refused}");
    }
    assert_eq!(buckets_with(engine, "taken.").await, ["taken.holder", "taken.known"]);
    let known = bucket_at(engine, "taken", "other").await.expect("the bucket as it was");
    assert_eq!(known.config, addressed("taken.known", "taken", "other"));
    assert!(bucket_at(engine, "taken", "third").await.is_none());
}

async fn what_is_not_as_expected_saves_nothing(engine: &dyn StorageEngine) {
    let another = config("expected.another");
    let new = addressed("expected", "expected group", "expected type");
    let changed = BucketConfig { realtime: true, ..new.clone() };
    let other = BucketConfig { published: false, ..new.clone() };
    let save = async |config: &BucketConfig, expected| {
        let save = BucketSave::new(config.clone(), TokenChange::Keep).expecting(expected);
        engine.save_buckets(vec![BucketSave::new(another.clone(), TokenChange::Keep), save]).await
    };
    let is_refused = |saved: Result<(), StorageError>| {
        saved.expect_err("it is not as expected").kind() == StorageErrorKind::Changed
    };
    assert!(is_refused(save(&new, Expected::This(new.clone().into())).await), "there is none");
    assert!(bucket_named(engine, "expected.another").await.is_none(), "nothing of the call is saved");
    save(&new, Expected::Nothing).await.expect("there is none");
    assert!(is_refused(save(&changed, Expected::Nothing).await), "there is one");
    assert!(is_refused(save(&changed, Expected::This(other.clone().into())).await), "it is another");
    save(&changed, Expected::This(new.clone().into())).await.expect("it is that one");
    // As where an engine tries again what only seemed to fail.
    save(&changed, Expected::This(new.clone().into())).await.expect("it is saved already");
    assert!(is_refused(save(&other, Expected::This(new.clone().into())).await), "it was changed");
    let found = bucket_at(engine, "expected group", "expected type").await.expect("a bucket");
    assert_eq!(found.config, changed);
}

async fn a_deleted_bucket_takes_everything_with_it(engine: &dyn StorageEngine) {
    let bucket = TestBucket::configured(engine, addressed("gone", "gone group", "gone type")).await;
    let token = TokenChange::Set(TokenHash::new(&"secret".to_owned().into()));
    let save_token = BucketSave::new(addressed("gone", "gone group", "gone type"), token);
    engine
        .save_buckets(vec![save_token, BucketSave::new(config("stays"), TokenChange::Keep)])
        .await
        .expect("saved");
    bucket.store(r#"[{"_id": "aa", "_timestamp": "2014-01-01"}, {"kind": "x"}]"#).await;
    let user = |buckets: &[&str]| granted("someone@gone", buckets);
    engine.save_users(vec![user(&["gone", "stays"])]).await.expect("saved");

    assert!(engine.delete_bucket(&bucket.name).await.expect("deleted"));
    assert!(!engine.delete_bucket(&bucket.name).await.expect("nothing to delete"));
    assert!(bucket_named(engine, "gone").await.is_none());
    assert!(bucket_at(engine, "gone group", "gone type").await.is_none());
    assert_eq!(buckets_with(engine, "gone").await, [""; 0]);
    assert_eq!(users_at(engine, "gone").await, [user(&["stays"])]);
    let newest = engine.newest_timestamps().await.expect("timestamps");
    assert!(newest.iter().all(|(config, _)| config.name != bucket.name));

    save(engine, addressed("address.heir", "gone group", "gone type")).await;
    save(engine, config("gone")).await;
    let tokens = bucket_named(engine, "gone").await.expect("a new bucket").tokens;
    assert_eq!(tokens, BucketTokens::default());
    assert_eq!(bucket.ids("").await, "");
    assert!(!engine.delete_data(&bucket.name).await.expect("an answer"), "it was never written to");
    assert_eq!(users_at(engine, "gone").await, [user(&["stays"])], "the new bucket is granted to nobody");
    let stored = bucket.store(r#"{"_id": "aa"}"#).await;
    assert_eq!(stored, Stored { new: 1, replaced: 0 });
    assert_eq!(buckets_with(engine, "").await.last().map(String::as_str), Some("gone"), "it is the newest");
}

fn granted(email: &str, buckets: &[&str]) -> User {
    User { email: email.to_owned(), buckets: buckets.iter().map(|bucket| name(bucket)).collect() }
}

/// The users of a check, told by the host in their addresses, in their order.
async fn users_at(engine: &dyn StorageEngine, host: &str) -> Vec<User> {
    let host = format!("@{host}");
    let users = engine.users().await.expect("users");
    users.into_iter().filter(|user| user.email.ends_with(&host)).collect()
}

async fn two_buckets(engine: &dyn StorageEngine, one: &str, two: &str) -> [BucketName; 2] {
    [TestBucket::new(engine, one).await.name, TestBucket::new(engine, two).await.name]
}

async fn users_come_by_email(engine: &dyn StorageEngine) {
    two_buckets(engine, "granted.zz", "granted.aa").await;
    let sorted = [
        granted("ann@email", &[]),
        granted("bob@email", &["granted.zz", "granted.aa"]),
        granted("é@email", &["granted.aa"]),
    ];
    let [ann, bob, last] = sorted.clone();
    engine.save_users(vec![last, bob]).await.expect("saved");
    engine.save_users(vec![ann]).await.expect("saved");
    engine.save_users(Vec::new()).await.expect("nothing to save");
    assert_eq!(users_at(engine, "email").await, sorted, "grants come in the order in which they were given");
}

async fn a_user_is_replaced(engine: &dyn StorageEngine) {
    two_buckets(engine, "again.one", "again.two").await;
    for grants in [&["again.one", "again.two"][..], &["again.two", "again.one"], &["again.two"], &[]] {
        let user = granted("user@again", grants);
        engine.save_users(vec![user.clone()]).await.expect("saved");
        assert_eq!(users_at(engine, "again").await, [user]);
    }
    let twice = ["again.one", "again.two"].map(|bucket| granted("user@again", &[bucket]));
    engine.save_users(twice.to_vec()).await.expect("saved");
    assert_eq!(users_at(engine, "again").await, twice[1..], "the later one of a call stands");
}

async fn a_grant_of_an_unknown_bucket_saves_nothing(engine: &dyn StorageEngine) {
    two_buckets(engine, "known.one", "known.two").await;
    let before = granted("user@unknown", &["known.one"]);
    engine.save_users(vec![before.clone()]).await.expect("saved");
    let users = [granted("new@unknown", &["known.one"]), granted("user@unknown", &["known.two", "unknown"])];
    let refused = engine.save_users(users.into()).await.expect_err("an unknown bucket");
    assert_eq!(refused.kind(), StorageErrorKind::NotFound);
    assert_eq!(users_at(engine, "unknown").await, [before]);
}

async fn grants_are_added_and_taken_away(engine: &dyn StorageEngine) {
    two_buckets(engine, "change.one", "change.two").await;
    let change = |change| engine.change_grants("user@change", change);
    let revoked = change(GrantChange::Revoke(vec![name("change.one")])).await.expect_err("nobody");
    assert_eq!(revoked.kind(), StorageErrorKind::NotFound);
    let both = vec![name("change.two"), name("change.one")];
    let user = change(GrantChange::Grant(both)).await.expect("granted");
    assert_eq!(user, granted("user@change", &["change.two", "change.one"]));
    let user = change(GrantChange::Revoke(vec![name("change.two")])).await.expect("revoked");
    assert_eq!(user, granted("user@change", &["change.one"]));
    let unknown = change(GrantChange::Grant(vec![name("change.none")])).await.expect_err("unknown");
    assert_eq!(unknown.kind(), StorageErrorKind::NotFound);
    assert_eq!(users_at(engine, "change").await, [user]);
}

async fn no_grant_of_many_at_once_is_lost(engine: &dyn StorageEngine) {
    let names: Vec<String> = (0..12).map(|number| format!("many.{number}")).collect();
    for name in &names {
        save(engine, config(name)).await;
    }
    let grant = |bucket: &String| engine.change_grants("user@many", GrantChange::Grant(vec![name(bucket)]));
    for done in rocket::futures::future::join_all(names.iter().map(grant)).await {
        done.expect("granted");
    }
    assert_eq!(users_at(engine, "many").await[0].buckets.len(), names.len());
}
