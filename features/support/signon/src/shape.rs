//! What providers that are in use answer, where they differ from each other: after their documentation and
//! public reports. A table of changes to the plain answers.

use std::str::FromStr;

use serde_json::{Value as Json, json};

/// Whose answers it gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say whose they are")]
pub enum Shape {
    #[default]
    Plain,
    Auth0,
    Cognito,
    Zitadel,
    Entra,
    Keycloak,
    Okta,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Plain, Self::Auth0, Self::Cognito, Self::Zitadel, Self::Entra, Self::Keycloak, Self::Okta];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Auth0 => "auth0",
            Self::Cognito => "cognito",
            Self::Zitadel => "zitadel",
            Self::Entra => "entra",
            Self::Keycloak => "keycloak",
            Self::Okta => "okta",
        }
    }

    /// How it spells its issuer.
    pub(crate) fn issuer(self, address: &str) -> String {
        if self == Self::Auth0 { format!("{address}/") } else { address.to_owned() }
    }

    /// Changes what it says of itself; null takes something away.
    pub(crate) fn discovery(self) -> Json {
        match self {
            Self::Auth0 => json!({
                "end_session_endpoint": null, "registration_endpoint": "", "backchannel_logout_supported": "yes",
                "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256", "EdDSA"],
            }),
            Self::Cognito => json!({"end_session_endpoint": null, "scopes_supported": "openid email"}),
            Self::Zitadel => json!({"ui_locales_supported": null, "claims_supported": [null]}),
            Self::Entra => json!({
                "tenant_region_scope": null, "cloud_instance_name": "x", "http_logout_supported": "true",
                "request_uri_parameter_supported": "false",
            }),
            Self::Keycloak => json!({"mtls_endpoint_aliases": {}, "acr_values_supported": ["0", 1]}),
            Self::Plain | Self::Okta => json!({}),
        }
    }

    /// Changes the claims of an ID token of somebody with some permissions.
    pub(crate) fn id_token(self, permissions: &[String], now: u64) -> Json {
        match self {
            Self::Plain => json!({}),
            Self::Auth0 => json!({
                "groups": null, "https://backdrop.example.org/roles": permissions, "updated_at": "2014-06-18T00:00:00.123Z",
                "sid": "x", "nickname": null,
            }),
            Self::Cognito => json!({
                "groups": null, "cognito:groups": permissions, "email_verified": "true", "token_use": "id",
                "identities": [{"userId": "1", "primary": "true"}], "auth_time": now, "exp": half_past(now + 300),
            }),
            Self::Zitadel => json!({
                "groups": null, "urn:zitadel:iam:org:project:roles": roles(permissions),
                "aud": ["backdrop", "project-1"], "azp": "backdrop", "amr": ["pwd"], "address": {},
            }),
            Self::Entra => json!({
                "groups": null, "roles": permissions, "email_verified": null, "nbf": now.to_string(), "aio": "x",
                "preferred_username": "x@example.onmicrosoft.com", "rh": "0.x", "ver": "2.0", "xms_edov": "1",
            }),
            Self::Keycloak => json!({
                "groups": null, "realm_access": {"roles": permissions}, "resource_access": {"account": {"roles": []}},
                "typ": "ID", "acr": 1, "session_state": null, "allowed-origins": ["*"],
            }),
            Self::Okta => {
                json!({"ver": 1, "amr": ["pwd", "mfa"], "idp": "00o", "jti": 5, "zoneinfo": 1, "iat": now + 30})
            }
        }
    }

    /// Changes what userinfo says of somebody with some permissions.
    pub(crate) fn user_info(self, permissions: &[String]) -> Json {
        match self {
            Self::Plain | Self::Okta => json!({"updated_at": "1403049600", "address": "1 High Street"}),
            Self::Auth0 => json!({
                "groups": null, "https://backdrop.example.org/roles": permissions,
                "updated_at": "2014-06-18T00:00:00.123Z",
            }),
            Self::Cognito => {
                json!({"groups": null, "email_verified": "true", "phone_number_verified": "false"})
            }
            Self::Zitadel => json!({
                "groups": null, "urn:zitadel:iam:org:project:roles": roles(permissions), "updated_at": 1_403_049_600.5,
            }),
            Self::Entra => json!({
                "groups": null, "email": null, "email_verified": null, "family_name": [], "picture": "",
            }),
            Self::Keycloak => {
                json!({"groups": null, "realm_access": {"roles": permissions}, "address": "1 High Street"})
            }
        }
    }

    /// Changes the answer that has the tokens.
    pub(crate) fn tokens(self, is_first: bool) -> Json {
        match self {
            Self::Auth0 => json!({"token_type": "Bearer", "expires_in": 86_400}),
            // What was given at first stays good.
            Self::Cognito if !is_first => json!({"refresh_token": null}),
            Self::Plain | Self::Okta | Self::Cognito => json!({}),
            Self::Zitadel => json!({"state": "x", "scope": ["openid", "email"]}),
            Self::Entra => json!({"token_type": "Bearer", "expires_in": "3599", "ext_expires_in": "3599"}),
            Self::Keycloak => {
                json!({"not-before-policy": 0, "session_state": null, "refresh_expires_in": 1800.5})
            }
        }
    }

    /// How much longer than they need to be its tokens are: access, refresh.
    pub(crate) fn padding(self) -> (usize, usize) {
        match self {
            Self::Entra => (2_600, 1_500),
            Self::Keycloak => (1_600, 4_700),
            Self::Cognito => (1_000, 1_700),
            _ => (0, 0),
        }
    }

    /// Whether it signs nobody out who comes without their ID token.
    pub(crate) fn wants_hint(self) -> bool {
        self == Self::Okta
    }

    /// Whether a refresh token is good for more than one use.
    pub(crate) fn keeps_refresh_token(self) -> bool {
        self == Self::Cognito
    }
}

impl FromStr for Shape {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|shape| shape.name() == text).ok_or(())
    }
}

/// A time with a fraction.
fn half_past(seconds: u64) -> Json {
    format!("{seconds}.5").parse::<f64>().map_or(Json::Null, Json::from)
}

/// Roles as keys, each with the organisation that gave it.
fn roles(permissions: &[String]) -> Json {
    let roles = permissions.iter().map(|role| (role.clone(), json!({"org-1": "example.org"})));
    Json::Object(roles.collect())
}

/// Applies changes to an object.
pub(crate) fn change(answer: &mut Json, changes: Json) {
    let (Json::Object(answer), Json::Object(changes)) = (answer, changes) else { return };
    for (member, value) in changes {
        match value {
            Json::Null => drop(answer.remove(&member)),
            value => drop(answer.insert(member, value)),
        }
    }
}
