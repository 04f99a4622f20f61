//! `GET /<bucket>?…` and `GET /data/<group>/<type>?…`: two routes, one [`find`] for programs and browsers.

use backdrop_common::bucket::{Bucket, BucketAddress, BucketName};
use backdrop_common::http::{
    ApiError, Authorization, Client, ClientAddress, RequestId, data_type_address, log_refused,
};
use backdrop_common::query::args::{QueryArgs, QueryContext};
use backdrop_common::query::{GroupQuery, InvalidQuery, Query};
use backdrop_common::room::Reservation;
use backdrop_common::shape::{GroupAnswer, bytes_to_shape, shape, shift};
use backdrop_common::storage::WantedNames;
use backdrop_common::timestamp::Timestamp;
use rocket::http::Header;
use rocket::http::uri::Host;
use rocket::request::{FromRequest, Outcome, Request};
use rocket::response::{self, Responder};
use rocket::tokio::task::spawn_blocking;
use rocket::{State, async_trait, get, options};

use crate::ReadApp;
use crate::answer::{Answer, Form, Found, tag_of};
use crate::answers::Question;
use crate::body::Body;
use crate::explorer::{Explored, explore, refused, wants_page};
use crate::slow::Watched;
use crate::text::Text;

/// What a request says besides the bucket's address, and the client itself.
pub(crate) struct ReadRequest<'r> {
    client: Option<Client>,
    wants_page: bool,
    /// Where the client says that it found us.
    pub(crate) host: Option<&'r Host<'r>>,
    pub(crate) path: &'r str,
    pub(crate) query: &'r str,
    authorization: Authorization<'r>,
    address: ClientAddress,
    pub(crate) request_id: &'r RequestId,
    /// The tags of what the client already has.
    if_none_match: String,
}

#[async_trait]
impl<'r> FromRequest<'r> for ReadRequest<'r> {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        Outcome::Success(Self {
            client: Client::of(request),
            wants_page: wants_page(request),
            host: request.host(),
            path: request.uri().path().raw().as_str(),
            // Read whole and as sent: Rocket's own query guards leave out what they do not know.
            query: request.uri().query().map_or("", |query| query.as_str()),
            authorization: Authorization::of(request),
            address: ClientAddress::of(request),
            request_id: RequestId::of(request),
            // A header that is there more than once is one list.
            if_none_match: request.headers().get("If-None-Match").collect::<Vec<_>>().join(","),
        })
    }
}

/// What a client is answered: a browser with a page, all others with data.
pub(crate) enum Reply {
    Data(Result<Answer, ApiError>),
    Page(Result<Explored, ApiError>),
}

impl<'r> Responder<'r, 'static> for Reply {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = match self {
            Self::Data(answer) => answer.respond_to(request),
            Self::Page(Ok(explored)) => explored.respond_to(request),
            Self::Page(Err(error)) => refused(error, request),
        }?;
        response.adjoin_header(Header::new("Vary", "Accept"));
        Ok(response)
    }
}

#[get("/<bucket>")]
pub(crate) async fn by_name(
    bucket: Result<BucketName, ApiError>,
    request: ReadRequest<'_>,
    app: &State<ReadApp>,
) -> Reply {
    fetch(app, bucket.map(BucketAddress::Name), &request).await
}

#[get("/data/<data_group>/<data_type>")]
pub(crate) async fn by_data_type(
    data_group: &str,
    data_type: &str,
    request: ReadRequest<'_>,
    app: &State<ReadApp>,
) -> Reply {
    fetch(app, Ok(data_type_address(data_group, data_type)), &request).await
}

async fn fetch(app: &ReadApp, address: Result<BucketAddress, ApiError>, request: &ReadRequest<'_>) -> Reply {
    let clients = &app.clients;
    let watched = Watched::begin(app.slow_query_ms);
    let reply = if request.wants_page {
        let explored = async { explore(app, address?, request).await };
        Reply::Page(clients.while_there(request.client.clone(), explored).await)
    } else {
        let answered = async { answer(app, address?, request).await };
        Reply::Data(clients.while_there(request.client.clone(), answered).await)
    };
    watched.end(request);
    reply
}

async fn answer(
    app: &ReadApp,
    address: BucketAddress,
    request: &ReadRequest<'_>,
) -> Result<Answer, ApiError> {
    let found = app.engine.bucket_with_revision(&address).await?;
    let (bucket, revision) =
        found.filter(|(bucket, _)| bucket.config.queryable).ok_or(ApiError::BucketNotFound)?;
    let args = QueryArgs::parse(request.query)?;
    let (as_csv, explain) = (args.wants_csv(), args.wants_explain());
    let query = checked(app, &bucket, args)?;
    if explain {
        may_explain(&bucket, request.authorization).inspect_err(|reason| {
            log_refused(bucket.name(), reason, request.address, request.request_id.as_str());
        })?;
        let explained = app.engine.explain(bucket.name(), &query).await?;
        return Ok(Answer::explained(&explained, app.room.reserve()));
    }
    let form = Form::new(&bucket.config, as_csv);
    let if_none_match = &*request.if_none_match;
    let Some(revision) = revision else {
        let body = body(app, bucket.name(), &query, form).await?;
        return Ok(Answer::new(&bucket.config, body, None, form, if_none_match));
    };
    let question = Question { bucket: bucket.name().clone(), revision, query, form };
    if let Some(answer) = Answer::known(&bucket.config, &question, form, if_none_match) {
        return Ok(answer);
    }
    let make = || body(app, &question.bucket, &question.query, form);
    let body = app.answers.get(question.clone(), request.query, make).await?;
    let tag = matches!(body, Body::OnItsWay(_)).then(|| tag_of(&question));
    Ok(Answer::new(&bucket.config, body, tag, form, if_none_match))
}

/// The body of the answer to a query.
async fn body(app: &ReadApp, bucket: &BucketName, query: &Query, form: Form) -> Result<Body, ApiError> {
    let text = match query {
        Query::Records(query) => {
            let names = if form.is_csv { WantedNames::All } else { WantedNames::None };
            let pages = app.engine.find_pages(bucket, query, names, app.room.reserve()).await?;
            Text::of_records(pages, form, app.room.reserve())
        }
        Query::Groups(query) => {
            let (answer, room) = groups(app, bucket, query.clone()).await?;
            let bytes = if form.is_csv { answer.csv_bytes() } else { answer.json_bytes() };
            let max = app.max_answer_bytes;
            if bytes > max {
                return Err(InvalidQuery::AnswerTooLarge { bytes, max }.into());
            }
            Text::of_groups(answer, bytes, form, room)
        }
    };
    Body::make(text?, app.answers.largest()).await
}

/// The query that some parameters ask of a bucket.
pub(crate) fn checked(app: &ReadApp, bucket: &Bucket, args: QueryArgs) -> Result<Query, InvalidQuery> {
    args.into_query(&QueryContext {
        raw_queries_allowed: bucket.config.raw_queries_allowed,
        now: Timestamp::now(),
        max_rows: app.max_rows,
    })
}

/// What a query finds whose limit is small, if it is for records; and the room that it takes.
pub(crate) async fn find(
    app: &ReadApp,
    bucket: &BucketName,
    query: Query,
) -> Result<(Found, Reservation), ApiError> {
    Ok(match query {
        Query::Records(query) => {
            let records = app.engine.find(bucket, &query).await?;
            let mut room = app.room.reserve();
            room.cover(records.bytes())?;
            (Found::Records(records), room)
        }
        Query::Groups(query) => {
            let (answer, room) = groups(app, bucket, query).await?;
            (Found::Groups(answer), room)
        }
    })
}

/// The groups that a query asks for, in a window that moved to where the data is, and the room that they take.
async fn groups(
    app: &ReadApp,
    bucket: &BucketName,
    query: GroupQuery,
) -> Result<(GroupAnswer, Reservation), ApiError> {
    let mut query = query;
    let mut rows = app.engine.aggregate(bucket, &query).await?;
    let periods = shift(&query, &rows);
    if periods != 0 {
        query = query.moved(periods).ok_or(InvalidQuery::OutsideCalendar)?;
        rows = app.engine.aggregate(bucket, &query).await?;
    }
    let mut room = app.room.reserve();
    let shaped = spawn_blocking(move || {
        room.cover(bytes_to_shape(&query, &rows))?;
        let answer = shape(&query, rows)?;
        room.cover(answer.memory())?;
        room.shrink(answer.memory());
        Ok((answer, room))
    });
    shaped.await.map_err(|_| ApiError::Internal)?
}

/// Who may see how a query is answered: whoever may see the records themselves, and who writes them.
fn may_explain(bucket: &Bucket, authorization: Authorization<'_>) -> Result<(), ApiError> {
    if bucket.config.raw_queries_allowed {
        return Ok(());
    }
    authorization.allows(bucket, Timestamp::now()).map_err(|error| match error {
        ApiError::MissingAuthorization => ApiError::ExplainWithoutToken,
        other => other,
    })
}

/// The bucket at an address, if it answers queries.
pub(crate) async fn queryable(app: &ReadApp, address: &BucketAddress) -> Result<Bucket, ApiError> {
    let bucket = app.engine.bucket(address).await?;
    bucket.filter(|bucket| bucket.config.queryable).ok_or(ApiError::BucketNotFound)
}

/// What a browser asks before it lets a page read from elsewhere.
#[derive(Responder)]
pub(crate) struct Preflight {
    body: (),
    max_age: Header<'static>,
    allow_headers: Header<'static>,
    allow: Header<'static>,
}

impl Preflight {
    fn new() -> Self {
        Self {
            body: (),
            max_age: Header::new("Access-Control-Max-Age", "86400"),
            allow_headers: Header::new(
                "Access-Control-Allow-Headers",
                "cache-control, govuk-request-id, request-id",
            ),
            allow: Header::new("Allow", "GET, HEAD, OPTIONS"),
        }
    }
}

#[options("/<bucket>")]
pub(crate) async fn options_by_name(
    bucket: Result<BucketName, ApiError>,
    app: &State<ReadApp>,
) -> Result<Preflight, ApiError> {
    queryable(app, &BucketAddress::Name(bucket?)).await?;
    Ok(Preflight::new())
}

#[options("/data/<data_group>/<data_type>")]
pub(crate) async fn options_by_data_type(
    data_group: &str,
    data_type: &str,
    app: &State<ReadApp>,
) -> Result<Preflight, ApiError> {
    queryable(app, &data_type_address(data_group, data_type)).await?;
    Ok(Preflight::new())
}
