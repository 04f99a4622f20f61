//! Answers that are kept to be given again while the records of their bucket stay the same, and made once
//! for all who ask the same at the same moment.

use std::sync::Arc;

use backdrop_common::bucket::BucketName;
use backdrop_common::http::ApiError;
use backdrop_common::query::Query;
use backdrop_common::storage::Revision;
use moka::future::Cache;
use moka::policy::EvictionPolicy;

use crate::answer::Form;
use crate::body::{Body, OnItsWay, Whole};

/// What an answer follows from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) bucket: BucketName,
    pub(crate) revision: Revision,
    pub(crate) query: Query,
    pub(crate) form: Form,
}

/// The answers that are kept, within a budget of memory.
pub(crate) struct Answers {
    kept: Cache<Question, Kept>,
    largest: usize,
}

/// An answer, and how much memory its question takes.
#[derive(Clone)]
struct Kept {
    body: Whole,
    question_bytes: usize,
}

/// Why there is no answer to keep.
enum NotKept {
    Failed(Arc<ApiError>),
    /// It is too large, but there is all of it for who asked at the same moment.
    Large(Whole),
    /// It is on its way already, to whoever asked first.
    OnItsWay,
}

/// What an answer takes besides its bytes and those of its query, about.
const OVERHEAD: usize = 1024;
/// How much memory a byte of a query string becomes, at the most about: a short filter, a value of its own.
const PER_BYTE: usize = 8;
/// How many of the largest answers that are kept there is memory for.
const LARGEST: u64 = 8;

impl Answers {
    /// Keeps so many bytes of answers. Those go first that nobody asked for for longest: once a bucket
    /// has changed, its old answers are of no use, however often they were given.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let bytes = |_: &Question, kept: &Kept| {
            u32::try_from(kept.body.len() + kept.question_bytes + OVERHEAD).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder().max_capacity(max_bytes).weigher(bytes);
        let largest = usize::try_from(max_bytes / LARGEST).unwrap_or(usize::MAX);
        Self { kept: cache.eviction_policy(EvictionPolicy::lru()).build(), largest }
    }

    /// How many bytes an answer may have that is kept.
    pub(crate) fn largest(&self) -> usize {
        self.largest
    }

    /// The answer to a question, which came as a query string: a kept one, or else `make`'s. Who asks while
    /// another one's is made waits for that; if its client goes away, the next one's is made. If it turns
    /// out to be too large to be kept, each has one made for itself.
    pub(crate) async fn get<F>(
        &self,
        question: Question,
        query_string: &str,
        make: impl Fn() -> F,
    ) -> Result<Body, ApiError>
    where
        F: Future<Output = Result<Body, ApiError>>,
    {
        let question_bytes = query_string.len() * PER_BYTE;
        let (mut on_its_way, mut is_made) = (None::<Box<OnItsWay>>, false);
        // Boxed, since whoever waits for it holds it several times over.
        let first = Box::pin(async {
            is_made = true;
            match make().await.map_err(|error| NotKept::Failed(Arc::new(error)))? {
                Body::Whole(body) if body.len() > self.largest => Err(NotKept::Large(body)),
                Body::Whole(body) => Ok(Kept { body, question_bytes }),
                Body::OnItsWay(body) => {
                    on_its_way = Some(body);
                    Err(NotKept::OnItsWay)
                }
            }
        });
        let kept = self.kept.try_get_with(question, first).await;
        if is_made {
            // What has to go for it goes now, and not when the next question is asked.
            self.kept.run_pending_tasks().await;
        }
        match (kept, on_its_way) {
            (Ok(kept), _) => Ok(Body::Whole(kept.body)),
            (Err(_), Some(body)) => Ok(Body::OnItsWay(body)),
            (Err(why), None) => match &*why {
                NotKept::Failed(error) => Err(ApiError::Shared(Arc::clone(error))),
                NotKept::Large(body) => Ok(Body::Whole(body.clone())),
                NotKept::OnItsWay => make().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use backdrop_common::bucket::{BucketAddress, BucketConfig, TokenChange};
    use backdrop_common::query::RecordQuery;
    use backdrop_common::room::Room;
    use backdrop_common::storage::failing::FailingEngine;
    use backdrop_common::storage::{
        BucketSave, Documents, RecordPages, SqliteEngine, StorageEngine, StorageErrorKind, WantedNames,
    };
    use rocket::tokio;
    use rocket::tokio::sync::Notify;

    use super::*;
    use crate::text::Text;

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
        body_of(RecordPages::whole(Documents::default()), 1000).await
    }

    async fn body_of(pages: RecordPages, kept: usize) -> Result<Body, ApiError> {
        let config = BucketConfig::new(BucketName::parse("foo").expect("a name"));
        let room = Room::endless().reserve();
        let text = Text::of_records(pages, Form::new(&config, false), room)?;
        Body::make(text, kept).await
    }

    fn whole(body: Result<Body, ApiError>) -> Whole {
        let Ok(Body::Whole(body)) = body else { panic!("it is not whole") };
        body
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
            let body = whole(answers.get(question.clone(), "", make).await);
            assert_eq!(body.as_ref(), br#"{"data":[]}"#);
        }
        assert_eq!(times.load(Ordering::Relaxed), 1);
        let other = Question {
            query: Query::Records(RecordQuery { limit: Some(1), ..RecordQuery::default() }),
            ..question
        };
        answers.get(other, "", make).await.expect("an answer");
        assert_eq!(times.load(Ordering::Relaxed), 2);
    }

    #[rocket::async_test]
    async fn who_asks_meanwhile_waits_for_the_same_answer() {
        let (answers, question) = (Answers::new(100_000), question().await);
        let (begun, go_on) = (Notify::new(), Notify::new());
        let first = answers.get(question.clone(), "", || async {
            begun.notify_one();
            go_on.notified().await;
            body().await
        });
        let second = async {
            begun.notified().await;
            let second = answers.get(question.clone(), "", || async { panic!("it is made already") });
            let (body, ()) = tokio::join!(second, async { go_on.notify_one() });
            body
        };
        let (first, second) = tokio::join!(first, second);
        assert_eq!(whole(first).as_ref(), whole(second).as_ref());
    }

    #[rocket::async_test]
    async fn if_its_client_goes_away_the_next_one_makes_it() {
        let (answers, question) = (Answers::new(100_000), question().await);
        let begun = Notify::new();
        let first = answers.get(question.clone(), "", || async {
            begun.notify_one();
            pending().await
        });
        tokio::select! {
            biased;
            _ = first => panic!("it has no end"),
            () = begun.notified() => {}
        }
        answers.get(question, "", body).await.expect("an answer");
    }

    #[rocket::async_test]
    async fn an_error_is_not_kept() {
        let (answers, question) = (Answers::new(100_000), question().await);
        let failed =
            answers.get(question.clone(), "", || async { Err(ApiError::BucketNotFound) }).await.err();
        let failed = failed.expect("an error");
        assert_eq!((failed.status().code, failed.to_string().as_str()), (404, "bucket not found"));
        answers.get(question, "", body).await.expect("an answer");
    }

    #[rocket::async_test]
    async fn long_questions_take_room_too() {
        let (answers, question) = (Answers::new(100_000), question().await);
        for limit in 0..100 {
            let query = Query::Records(RecordQuery { limit: Some(limit), ..RecordQuery::default() });
            let long = "x".repeat(1000);
            answers.get(Question { query, ..question.clone() }, &long, body).await.expect("an answer");
        }
        assert!((5..=12).contains(&answers.kept.entry_count()), "{}", answers.kept.entry_count());
    }

    #[rocket::async_test]
    async fn without_memory_nothing_is_kept() {
        let (answers, question) = (Answers::new(0), question().await);
        for _ in 0..2 {
            answers.get(question.clone(), "", body).await.expect("an answer");
            assert!(answers.kept.get(&question).await.is_none());
        }
    }

    #[rocket::async_test]
    async fn what_is_too_large_to_be_kept_is_made_for_each() {
        let (answers, question) = (Answers::new(100_000), question().await);
        assert_eq!(answers.largest(), 12_500);
        let engine =
            FailingEngine { kind: StorageErrorKind::Internal, bucket: None, endless: None, pages: 2 };
        let (begun, go_on, times) = (Notify::new(), Notify::new(), AtomicUsize::new(0));
        let large = async || {
            begun.notify_one();
            if times.fetch_add(1, Ordering::Relaxed) == 0 {
                go_on.notified().await;
            }
            let (query, room) = (RecordQuery::default(), Room::endless().reserve());
            let pages = engine.find_pages(&question.bucket, &query, WantedNames::None, room).await?;
            body_of(pages, answers.largest()).await
        };
        let first = answers.get(question.clone(), "", large);
        let second = async {
            begun.notified().await;
            let second = answers.get(question.clone(), "", large);
            let (body, ()) = tokio::join!(second, async { go_on.notify_one() });
            body
        };
        let (first, second) = tokio::join!(first, second);
        assert!(matches!(first, Ok(Body::OnItsWay(_))) && matches!(second, Ok(Body::OnItsWay(_))));
        assert_eq!((times.load(Ordering::Relaxed), answers.kept.entry_count()), (2, 0));
    }

    #[rocket::async_test]
    async fn what_is_whole_and_too_large_to_be_kept_is_given_to_all_who_ask_at_once() {
        let (answers, question) = (Answers::new(50), question().await);
        for _ in 0..2 {
            assert_eq!(whole(answers.get(question.clone(), "", body).await).len(), 11);
            assert!(answers.kept.get(&question).await.is_none());
        }
    }
}
