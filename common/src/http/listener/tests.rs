//! The listener over real sockets, with short bounds.

use std::net::{Ipv4Addr, SocketAddr};

use rocket::futures::stream;
use rocket::http::{CookieJar, Status};
use rocket::request::Request;
use rocket::response::stream::ByteStream;
use rocket::response::{self, Responder, Response};
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::sync::{Notify, oneshot};
use rocket::tokio::task::JoinHandle;
use rocket::{State, get, post, routes};

use super::*;
use crate::http::client::{Client as Visitor, Clients};
use crate::http::{ApiError, SentData, catchers};

/// Shorter than any bound that a test does not wait for.
const SHORT: Duration = Duration::from_millis(60);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(30);

/// What holds a handler back.
#[derive(Default)]
struct Gate {
    is_reached: Notify,
    opens: Notify,
}

impl Gate {
    async fn pass(&self) {
        self.is_reached.notify_one();
        self.opens.notified().await;
    }
}

#[get("/")]
fn home() -> &'static str {
    "home"
}

#[get("/_status")]
fn status() -> &'static str {
    "up"
}

#[get("/held")]
async fn held(gate: &State<Arc<Gate>>) -> &'static str {
    gate.pass().await;
    "held"
}

#[post("/store", data = "<data>")]
async fn store(mut data: SentData<'_>, gate: &State<Arc<Gate>>) -> Result<String, ApiError> {
    let mut length = 0;
    while let Some(bytes) = data.next().await? {
        length += bytes.len();
    }
    gate.pass().await;
    Ok(length.to_string())
}

#[post("/count", data = "<data>")]
async fn count(mut data: SentData<'_>) -> Result<String, ApiError> {
    let mut length = 0;
    while let Some(bytes) = data.next().await? {
        length += bytes.len();
    }
    Ok(length.to_string())
}

#[get("/endless")]
async fn endless(visitor: Visited) -> Result<&'static str, ApiError> {
    let clients = Clients::default();
    clients.while_there(visitor.0, std::future::pending::<Result<&'static str, ApiError>>()).await
}

/// Who asks.
struct Visited(Option<Visitor>);

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for Visited {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, Self::Error> {
        rocket::request::Outcome::Success(Self(Visitor::of(request)))
    }
}

/// Twenty megabytes, which no socket keeps.
#[get("/large")]
fn large() -> Vec<u8> {
    vec![b'x'; 20_000_000]
}

#[get("/stream")]
fn streamed() -> ByteStream<stream::Iter<std::vec::IntoIter<&'static str>>> {
    ByteStream(stream::iter(vec!["one ", "two ", "three"]))
}

/// An answer that fails in the middle.
struct Broken;

impl<'r> Responder<'r, 'static> for Broken {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        struct Failing(bool);
        impl rocket::tokio::io::AsyncRead for Failing {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                buffer: &mut rocket::tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                if std::mem::replace(&mut self.0, true) {
                    return std::task::Poll::Ready(Err(ErrorKind::Other.into()));
                }
                buffer.put_slice(b"a part");
                std::task::Poll::Ready(Ok(()))
            }
        }
        Response::build().streamed_body(Failing(false)).ok()
    }
}

#[get("/broken")]
fn broken() -> Broken {
    Broken
}

#[get("/unchanged")]
fn unchanged() -> (Status, &'static str) {
    (Status::NotModified, "unchanged")
}

/// What a handler sees of a request.
struct Seen(String);

#[rocket::async_trait]
impl<'r> rocket::request::FromRequest<'r> for Seen {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> rocket::request::Outcome<Self, Self::Error> {
        let jar: &CookieJar<'_> = request.cookies();
        let cookie = |name| jar.get(name).map(|cookie| cookie.value().to_owned());
        let tags: Vec<_> = request.headers().get("x-tag").collect();
        rocket::request::Outcome::Success(Self(format!(
            "{} {:?} {:?} {:?} {tags:?} {}",
            request.uri(),
            request.host().map(ToString::to_string),
            cookie("a"),
            cookie("b"),
            request.remote().is_some_and(|peer| peer.ip().is_loopback()),
        )))
    }
}

#[get("/seen")]
fn seen(seen: Seen) -> String {
    seen.0
}

/// An app that listens.
struct App {
    address: SocketAddr,
    listener: Arc<Listener>,
    gate: Arc<Gate>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl App {
    async fn start(change: impl FnOnce(&mut Bounds)) -> Self {
        let gate = Arc::<Gate>::default();
        let routes =
            routes![home, status, held, store, count, endless, large, streamed, broken, unchanged, seen];
        let rocket = rocket::custom(rocket::Config::debug_default())
            .manage(Arc::clone(&gate))
            .register("/", catchers())
            .mount("/", routes);
        let client = Client::untracked(rocket).await.expect("an app");
        let mut bounds = Bounds::new(100);
        bounds.look_every = Duration::from_millis(5);
        bounds.look_every_at_stop = bounds.look_every;
        change(&mut bounds);
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = bound.local_addr().expect("an address");
        let listener = Listener::new(Arc::new(client), bounds);
        let (stop, stopped) = oneshot::channel();
        let served = spawn(Arc::clone(&listener).serve(bound, async {
            let _ = stopped.await;
        }));
        Self { address, listener, gate, stop: Some(stop), served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends something, and nothing after it, and reads until the other side closes.
    async fn ask(&self, sent: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(sent.as_bytes()).await.expect("sent");
        rest(&mut stream).await
    }

    async fn get(&self, path: &str) -> String {
        self.ask(&get_request(path, "Connection: close\r\n")).await
    }

    /// Tells it to end, and waits until it has.
    async fn end(mut self) {
        self.tell_to_end();
        timeout(LONG, self.served).await.expect("an end").expect("no panic");
    }

    fn tell_to_end(&mut self) {
        let _ = self.stop.take().expect("it runs").send(());
    }
}

fn get_request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n")
}

/// What comes until the end of the connection, however that comes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("an end of the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads an answer of which the last words are known.
async fn answer_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut piece = [0; 1024];
        let length = timeout(LONG, stream.read(&mut piece)).await.expect("in time").expect("an answer");
        assert!(length > 0, "it ended after {text}");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    text
}

#[rocket::async_test]
async fn answers_are_whole() {
    let app = App::start(|_| {}).await;
    let home = app.get("/").await;
    assert!(home.starts_with("HTTP/1.1 200 OK\r\n") && home.ends_with("\r\n\r\nhome"), "{home}");
    assert!(home.contains("content-length: 4\r\n") && home.contains("date: "), "{home}");
    assert!(app.get("/nothing").await.starts_with("HTTP/1.1 404 "));
    let streamed = app.get("/stream").await;
    assert!(streamed.contains("transfer-encoding: chunked") && streamed.ends_with("0\r\n\r\n"), "{streamed}");
    let large = app.get("/large").await;
    assert_eq!(large.len() - large.find("\r\n\r\n").expect("a head") - 4, 20_000_000);
    let unchanged = app.get("/unchanged").await;
    assert!(unchanged.contains("content-length: 9\r\n") && unchanged.ends_with("\r\n\r\n"), "{unchanged}");
    let head = app.ask("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(head.contains("content-length: 4\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    let old = app.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 OK\r\n") && old.ends_with("home"), "{old}");
    app.end().await;
}

#[rocket::async_test]
async fn an_answer_that_fails_is_broken_off() {
    let app = App::start(|_| {}).await;
    let broken = app.get("/broken").await;
    assert!(broken.contains("a part") && !broken.ends_with("0\r\n\r\n"), "{broken}");
    app.end().await;
}

#[rocket::async_test]
async fn a_handler_sees_what_was_sent() {
    let app = App::start(|_| {}).await;
    let headers = "Cookie: a=1; b=%C3%BC\r\nX-Tag: one\r\nX-Tag: two\r\nConnection: close\r\n";
    let seen = app.ask(&get_request("/seen?q={x|y}", headers)).await;
    let expected = r#"/seen?q={x|y} Some("x") Some("1") Some("ü") ["one", "two"] true"#;
    assert!(seen.ends_with(expected), "{seen}");
    app.end().await;
}

#[rocket::async_test]
async fn requests_over_one_connection_are_answered_in_order() {
    let app = App::start(|_| {}).await;
    let three = ["/", "/_status", "/stream"].map(|path| get_request(path, "")).concat();
    let mut stream = app.connect().await;
    stream.write_all(three.as_bytes()).await.expect("sent");
    let answers = answer_until(&mut stream, "0\r\n\r\n").await;
    let places = ["home", "up", "one "].map(|text| answers.find(text).expect(text));
    assert!(places.is_sorted(), "{answers}");
    app.end().await;
}

#[rocket::async_test]
async fn a_client_that_sends_no_more_gets_its_answer() {
    let app = App::start(|_| {}).await;
    for _ in 0..30 {
        let mut stream = app.connect().await;
        let post = "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde";
        stream.write_all(post.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("half a connection");
        assert!(rest(&mut stream).await.ends_with("\r\n\r\n5"));
    }
    app.end().await;
}

#[rocket::async_test]
async fn who_goes_away_is_not_worked_for() {
    let app = App::start(|_| {}).await;
    let mut stream = app.connect().await;
    stream.write_all(get_request("/endless", "").as_bytes()).await.expect("sent");
    stream.set_zero_linger().expect("an option");
    drop(stream);
    timeout(LONG, app.listener.open.done()).await.expect("it is over");
    app.end().await;
}

#[rocket::async_test]
async fn heads_that_mean_two_things_are_refused() {
    let app = App::start(|_| {}).await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
        (
            "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        ("BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
    ] {
        let answer = app.ask(head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
    app.end().await;
}

#[rocket::async_test]
async fn a_body_that_is_cut_short_is_no_body() {
    let app = App::start(|_| {}).await;
    let short = "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabcde";
    let chunked = "POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n";
    for sent in [short, chunked] {
        let mut stream = app.connect().await;
        stream.write_all(sent.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("half a connection");
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("to its end"), "{answer}");
    }
    app.end().await;
}

#[rocket::async_test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let app = App::start(|_| {}).await;
    let mut stream = app.connect().await;
    let head = "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    answer_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await;
    stream.write_all(b"abc").await.expect("sent");
    assert!(answer_until(&mut stream, "\r\n\r\n3").await.starts_with("HTTP/1.1 200 "));
    app.end().await;
}

#[rocket::async_test]
async fn an_idle_connection_is_closed() {
    let app = App::start(|bounds| bounds.idle = SHORT).await;
    assert_eq!(app.ask("").await, "");
    assert!(app.ask(&get_request("/", "")).await.ends_with("home"));
    app.end().await;
}

#[rocket::async_test]
async fn a_head_that_does_not_end_is_cut() {
    let app = App::start(|bounds| bounds.head = SHORT).await;
    let answer = app.ask("GET / HTTP/1.1\r\nHost:").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    app.end().await;
}

#[rocket::async_test]
async fn a_head_that_is_too_long_is_refused() {
    let app = App::start(|_| {}).await;
    let answer = app.ask(&get_request("/", &format!("X: {}\r\n", "y".repeat(100_000)))).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    app.end().await;
}

#[rocket::async_test]
async fn a_body_that_stalls_is_refused() {
    let app = App::start(|bounds| bounds.still = SHORT).await;
    for begun in ["", "a", "ab"] {
        let post = format!("POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{begun}");
        let answer = app.ask(&post).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("to its end"), "{answer}");
    }
    app.end().await;
}

#[rocket::async_test]
async fn an_answer_that_nobody_reads_is_dropped() {
    let app = App::start(|bounds| bounds.still = SHORT).await;
    let mut stream = app.connect().await;
    stream.write_all(get_request("/large", "").as_bytes()).await.expect("sent");
    while app.listener.all().connections.is_empty() {
        rocket::tokio::task::yield_now().await;
    }
    timeout(LONG, app.listener.open.done()).await.expect("it is over");
    app.end().await;
}

#[rocket::async_test]
async fn one_connection_too_many_takes_the_place_of_an_idle_one() {
    let app = App::start(|bounds| (bounds.connections, bounds.reserve) = (1, 1)).await;
    let mut idle = app.connect().await;
    idle.write_all(get_request("/", "").as_bytes()).await.expect("sent");
    answer_until(&mut idle, "home").await;
    assert!(app.get("/").await.ends_with("home"));
    assert_eq!(rest(&mut idle).await, "");
    app.end().await;
}

#[rocket::async_test]
async fn a_body_that_stalls_makes_room() {
    let app = App::start(|bounds| {
        (bounds.connections, bounds.reserve, bounds.gives_way) = (1, 1, Duration::ZERO);
    })
    .await;
    let mut stalled = app.connect().await;
    let post = "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab";
    stalled.write_all(post.as_bytes()).await.expect("sent");
    while !app.get("/").await.ends_with("home") {}
    assert_eq!(rest(&mut stalled).await, "");
    app.end().await;
}

#[rocket::async_test]
async fn where_all_are_in_use_there_is_room_for_questions_about_health() {
    let app = App::start(|bounds| (bounds.connections, bounds.reserve) = (1, 1)).await;
    let mut busy = app.connect().await;
    busy.write_all(get_request("/held", "").as_bytes()).await.expect("sent");
    app.gate.is_reached.notified().await;
    let refused = app.ask(&get_request("/", "")).await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 1\r\n"), "{refused}");
    for _ in 0..3 {
        assert!(app.ask(&get_request("/_status", "")).await.ends_with("up"));
    }
    app.gate.opens.notify_one();
    answer_until(&mut busy, "held").await;
    app.end().await;
}

#[rocket::async_test]
async fn a_stop_closes_what_is_idle_and_finishes_what_is_stored() {
    let mut app = App::start(|_| {}).await;
    let mut idle = app.connect().await;
    let mut half_a_head = app.connect().await;
    half_a_head.write_all(b"GET / HTT").await.expect("sent");
    let mut storing = app.connect().await;
    let post = "POST /store HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
    storing.write_all(post.as_bytes()).await.expect("sent");
    app.gate.is_reached.notified().await;
    app.tell_to_end();
    assert_eq!(rest(&mut idle).await, "");
    rest(&mut half_a_head).await;
    assert!(TcpStream::connect(app.address).await.is_err(), "nothing new is taken");
    app.gate.opens.notify_one();
    let answer = rest(&mut storing).await;
    assert!(answer.ends_with("\r\n\r\n2") && answer.contains("connection: close"), "{answer}");
    timeout(LONG, app.served).await.expect("an end").expect("no panic");
}

#[rocket::async_test]
async fn a_stop_finishes_what_is_stored_for_nobody() {
    let mut app = App::start(|bounds| bounds.stop = SHORT).await;
    let mut gone = app.connect().await;
    let post = "POST /store HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab";
    gone.write_all(post.as_bytes()).await.expect("sent");
    app.gate.is_reached.notified().await;
    gone.set_zero_linger().expect("an option");
    drop(gone);
    app.tell_to_end();
    assert!(timeout(SHORT * 3, &mut app.served).await.is_err(), "it is not finished");
    app.gate.opens.notify_one();
    timeout(LONG, app.served).await.expect("an end").expect("no panic");
}

#[rocket::async_test]
async fn a_stop_does_not_wait_for_clients() {
    let mut app = App::start(|bounds| bounds.stop = SHORT).await;
    let mut half_sent = app.connect().await;
    let post = "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab";
    half_sent.write_all(post.as_bytes()).await.expect("sent");
    let mut slow = app.connect().await;
    slow.write_all(get_request("/large", "").as_bytes()).await.expect("sent");
    let mut asking = app.connect().await;
    asking.write_all(get_request("/held", "").as_bytes()).await.expect("sent");
    app.gate.is_reached.notified().await;
    app.tell_to_end();
    timeout(LONG, app.served).await.expect("an end").expect("no panic");
    let answer = rest(&mut half_sent).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
}
