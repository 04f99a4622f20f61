//! Requests to a provider: no redirects, and bounds on how long an answer takes and how large it is.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use ::http::Request as HttpRequestBuilder;
use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use oauth2::{AccessToken, AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Request, StatusCode};

use super::{Fault, ProviderError};

/// How large an answer may be, in bytes.
const MAX_ANSWER: usize = 1_000_000;

/// How long a provider may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// To take a connection.
    pub(crate) connect: Duration,
    /// Until its answer is there.
    pub(crate) total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(10) }
    }
}

/// A client of one provider.
pub(super) struct Http(Result<Client, ProviderError>);

impl Http {
    /// A client. If it cannot be made, which is a matter of this machine's certificates, the log says so
    /// and the provider counts as unavailable.
    pub(super) fn new(base_url: &str, timeouts: Timeouts) -> Self {
        let builder = ClientBuilder::new()
            .redirect(Policy::none())
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            .user_agent("Backdrop");
        // An error means that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Where no certificate is looked at, this machine need not know any authority.
        let builder = if base_url.starts_with("https://") { builder } else { builder.tls_certs_only([]) };
        Self(builder.build().map_err(|error| {
            let error = cause(&error);
            tracing::error!(target: "backdrop::error", %error, "no requests can be sent to the sign-in provider");
            ProviderError::Unavailable(error)
        }))
    }

    /// Sends a request and reads the answer, whatever its status, unless that says that the provider is
    /// unavailable.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
        let client = self.0.as_ref().map_err(Clone::clone)?;
        let request = Request::try_from(request).map_err(|error| failed(&error))?;
        let mut response = client.execute(request).await.map_err(|error| failed(&error))?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(ProviderError::Unavailable(format!("status {status}")));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let problem = format!("it is larger than {MAX_ANSWER} bytes");
                return Err(Fault::new("an answer of the provider", problem).into());
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

impl Http {
    /// Asks for JSON at an address, with an access token if it takes one.
    pub(super) async fn get(
        &self,
        address: &str,
        token: Option<&AccessToken>,
    ) -> Result<HttpResponse, ProviderError> {
        let mut request = HttpRequestBuilder::get(address).header(ACCEPT, "application/json");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.secret()));
        }
        let request = request.body(Vec::new());
        let request = request.map_err(|_| Fault::new("access_token", "it cannot be sent in a header"))?;
        self.send(request).await
    }
}

fn failed(error: &reqwest::Error) -> ProviderError {
    if error.is_timeout() { ProviderError::TimedOut } else { ProviderError::Unavailable(cause(error)) }
}

/// What went wrong at the bottom of it, without the address, which may have more in it than a log should.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.source().is_some() { cause.to_string() } else { "the request could not be sent".to_owned() }
}

/// Asks for tokens. What is JSON is found out by reading it, whatever an answer says that it is.
impl<'c> AsyncHttpClient<'c> for Http {
    type Error = ProviderError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ProviderError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let mut response = self.send(request).await?;
            response.headers_mut().remove(CONTENT_TYPE);
            if response.status().is_success() {
                *response.status_mut() = StatusCode::OK;
            }
            Ok(response)
        })
    }
}
