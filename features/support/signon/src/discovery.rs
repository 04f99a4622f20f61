//! What an OpenID provider says of itself.

use std::sync::Arc;

use rocket::{Config, State, get};
use serde_json::json;

use crate::Store;
use crate::mode::{Answer, Endpoint, failure};
use crate::shape::change;

/// The provider's name, which is its address.
pub(crate) fn issuer(config: &Config) -> String {
    format!("http://127.0.0.1:{}", config.port)
}

#[get("/.well-known/openid-configuration")]
pub(crate) async fn configuration(config: &Config, store: &State<Arc<Store>>) -> Answer {
    if let Some(failure) = failure(store, Endpoint::Discovery).await {
        return failure;
    }
    let issuer = issuer(config);
    let mut metadata = json!({
        "issuer": store.shape().issuer(&issuer),
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks.json"),
        "end_session_endpoint": format!("{issuer}/oauth/sign_out"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    });
    change(&mut metadata, store.shape().discovery());
    Answer::json(&metadata)
}

#[get("/jwks.json")]
pub(crate) async fn jwks(store: &State<Arc<Store>>) -> Answer {
    match failure(store, Endpoint::Keys).await {
        Some(failure) => failure,
        None => Answer::json(&json!(store.signer.keys())),
    }
}
