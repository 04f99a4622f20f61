//! Answers that are kept to be given again while the records of their bucket stay the same, and made once
//! for all who ask the same at the same moment.

use backdrop_common::bucket::BucketName;
use backdrop_common::http::ApiError;
use backdrop_common::query::Query;
use backdrop_common::storage::Revision;
use moka::future::Cache;
use moka::policy::EvictionPolicy;

use crate::answer::{Body, Form};

/// What an answer follows from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) bucket: BucketName,
    pub(crate) revision: Revision,
    pub(crate) query: Query,
    pub(crate) form: Form,
}

/// The answers that are kept, within a budget of memory.
pub(crate) struct Answers(Cache<Question, Kept>);

/// An answer, and how much memory its question takes.
#[derive(Clone)]
struct Kept {
    body: Body,
    question_bytes: usize,
}

/// What an answer takes besides its bytes and those of its query, about.
const OVERHEAD: usize = 1024;
/// How much memory a byte of a query string becomes, at the most about: a short filter, a value of its own.
const PER_BYTE: usize = 8;

impl Answers {
    /// Keeps so many bytes of answers. Those go first that nobody asked for for longest: once a bucket
    /// has changed, its old answers are of no use, however often they were given.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let bytes = |_: &Question, kept: &Kept| {
            u32::try_from(kept.body.len() + kept.question_bytes + OVERHEAD).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(max_bytes).weigher(bytes);
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }

    /// The answer to a question, which came as a query string: a kept one, or else `make`'s. Who asks while
    /// another one's is made waits for that; if its client goes away, the next one's is made.
    pub(crate) async fn get(
        &self,
        question: Question,
        query_string: &str,
        make: impl Future<Output = Result<Body, ApiError>>,
    ) -> Result<Body, ApiError> {
        let question_bytes = query_string.len() * PER_BYTE;
        // Boxed, since whoever waits for it holds it several times over.
        let make = Box::pin(async { Ok(Kept { body: make.await?, question_bytes }) });
        let kept = self.0.try_get_with(question, make).await;
        kept.map(|kept| kept.body).map_err(ApiError::Shared)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use backdrop_common::bucket::{BucketAddress, BucketConfig, TokenChange};
    use backdrop_common::query::RecordQuery;
    use backdrop_common::storage::{BucketSave, Documents, SqliteEngine, StorageEngine};
    use rocket::tokio;
    use rocket::tokio::sync::Notify;

    use super::*;
    use crate::answer::Found;

    async fn question() -> Question {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = SqliteEngine::open(&folder.path().join("backdrop.db")).expect("a database");
        let bucket = BucketName::parse("foo").expect("a name");
        let config = BucketConfig::new(bucket.clone());
        let form = Form::new(&config, false);
        engine.save_buckets(vec![BucketSave::new(config, TokenChange::Keep)]).await.expect("a bucket");
        let found =
            engine.bucket_with_revision(&BucketAddress::Name(bucket.clone())).await.expect("an answer");
        let revision = found.and_then(|(_, revision)| revision).expect("a revision");
        Question { bucket, revision, query: Query::Records(RecordQuery::default()), form }
    }

    async fn body() -> Result<Body, ApiError> {
        let config = BucketConfig::new(BucketName::parse("foo").expect("a name"));
        Body::write(Found::Records(Documents::default()), Form::new(&config, false)).await
    }

    #[rocket::async_test]
    async fn a_question_is_answered_once() {
        let (answers, question) = (Answers::new(100_000), question().await);
        let times = AtomicUsize::new(0);
        let make = || async {
            times.fetch_add(1, Ordering::Relaxed);
            body().await
        };
        for _ in 0..3 {
            let body = answers.get(question.clone(), "", make()).await.expect("an answer");
            assert_eq!(body.as_ref(), br#"{"data":[]}"#);
        }
        assert_eq!(times.load(Ordering::Relaxed), 1);
        let other = Question {
            query: Query::Records(RecordQuery { limit: Some(1), ..RecordQuery::default() }),
            ..question
        };
        answers.get(other, "", make()).await.expect("an answer");
        assert_eq!(times.load(Ordering::Relaxed), 2);
    }

    #[rocket::async_test]
    async fn who_asks_meanwhile_waits_for_the_same_answer() {
        let (answers, question) = (Answers::new(100_000), question().await);
        let (begun, go_on) = (Notify::new(), Notify::new());
        let first = answers.get(question.clone(), "", async {
            begun.notify_one();
            go_on.notified().await;
            body().await
        });
        let second = async {
            begun.notified().await;
            let second = answers.get(question.clone(), "", async { panic!("it is made already") });
            let (body, ()) = tokio::join!(second, async { go_on.notify_one() });
            body
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!(first.expect("an answer").as_ref(), second.expect("an answer").as_ref());
    }

    #[rocket::async_test]
    async fn if_its_client_goes_away_the_next_one_makes_it() {
        let (answers, question) = (Answers::new(100_000), question().await);
        let begun = Notify::new();
        let first = answers.get(question.clone(), "", async {
            begun.notify_one();
            pending().await
        });
        tokio::select! {
            biased;
            _ = first => panic!("it has no end"),
            () = begun.notified() => {}
        }
        answers.get(question, "", body()).await.expect("an answer");
    }

    #[rocket::async_test]
    async fn an_error_is_not_kept() {
        let (answers, question) = (Answers::new(100_000), question().await);
        let failed = answers.get(question.clone(), "", async { Err(ApiError::BucketNotFound) }).await.err();
        let failed = failed.expect("an error");
        assert_eq!((failed.status().code, failed.to_string().as_str()), (404, "bucket not found"));
        answers.get(question, "", body()).await.expect("an answer");
    }

    #[rocket::async_test]
    async fn long_questions_take_room_too() {
        let (answers, question) = (Answers::new(100_000), question().await);
        for limit in 0..100 {
            let query = Query::Records(RecordQuery { limit: Some(limit), ..RecordQuery::default() });
            let long = "x".repeat(1000);
            answers.get(Question { query, ..question.clone() }, &long, body()).await.expect("an answer");
        }
        answers.0.run_pending_tasks().await;
        assert!((5..=12).contains(&answers.0.entry_count()), "{}", answers.0.entry_count());
    }

    #[rocket::async_test]
    async fn without_memory_nothing_is_kept() {
        let (answers, question) = (Answers::new(0), question().await);
        for _ in 0..2 {
            answers.get(question.clone(), "", body()).await.expect("an answer");
            answers.0.run_pending_tasks().await;
            assert!(answers.0.get(&question).await.is_none());
        }
    }
}
