//! What the claims of an OpenID provider say of a person. Pure.

use backdrop_common::settings::SignInSettings;
use openidconnect::AdditionalClaims;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::super::{Profile, ProviderError};

/// All claims that the standard does not name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claims(Map<String, Json>);

impl AdditionalClaims for Claims {}

/// Which claims say what a person may do.
pub(super) struct ClaimNames {
    /// The name of the list, or those of the keys on the way to it.
    permissions: String,
    signin: String,
    admin: String,
}

impl ClaimNames {
    pub(super) fn new(settings: &SignInSettings) -> Self {
        Self {
            permissions: settings.permissions_claim.clone(),
            signin: settings.signin_group.clone(),
            admin: settings.admin_group.clone(),
        }
    }

    /// What userinfo says of a person, and where it is silent, their ID token, whose subjects are the
    /// same.
    pub(super) fn profile(
        &self,
        id_token: Option<&Json>,
        user_info: Option<&Json>,
    ) -> Result<Profile, ProviderError> {
        let sources: Vec<&Json> = user_info.into_iter().chain(id_token).collect();
        let text = |name: &str| sources.iter().find_map(|claims| claims[name].as_str());
        let missing = |name: &str| ProviderError::Unexpected(format!("the claim {name} is missing"));
        let uid = text("sub").ok_or_else(|| missing("sub"))?;
        if sources.iter().any(|claims| claims["sub"].as_str() != Some(uid)) {
            return Err(ProviderError::Unexpected("userinfo is of another person".to_owned()));
        }
        if sources.iter().any(|claims| is_false(&claims["email_verified"])) {
            return Err(ProviderError::UnverifiedEmail);
        }
        let email = text("email").ok_or_else(|| missing("email"))?;
        let name = text("name").or_else(|| text("preferred_username")).unwrap_or_default();
        let permissions = sources.iter().find_map(|claims| self.permissions(claims)).unwrap_or_default();
        let may = |permission: &String| permissions.contains(&permission.as_str());
        Profile::new(uid, name, email, (may(&self.signin), may(&self.admin)))
    }

    /// The claim that a session needs and neither has.
    pub(super) fn missing(&self, id_token: Option<&Json>, user_info: Option<&Json>) -> Option<&str> {
        let mut sources = user_info.into_iter().chain(id_token);
        if !sources.clone().any(|claims| self.permissions(claims).is_some()) {
            return Some(&self.permissions);
        }
        (!sources.any(|claims| claims["email"].is_string())).then_some("email")
    }

    /// The list of what a person may do: texts in a list, or one text.
    fn permissions<'a>(&self, claims: &'a Json) -> Option<Vec<&'a str>> {
        // Some providers have names that are URLs.
        let whole = claims.get(&self.permissions);
        let nested = || self.permissions.split('.').try_fold(claims, |claims, name| claims.get(name));
        match whole.or_else(nested)? {
            // Keycloak may give groups with their path.
            Json::Array(list) => {
                Some(list.iter().filter_map(Json::as_str).map(|name| name.trim_start_matches('/')).collect())
            }
            Json::String(one) => Some(vec![one.trim_start_matches('/')]),
            _ => None,
        }
    }
}

/// Some providers spell it as text.
fn is_false(claim: &Json) -> bool {
    claim == &Json::Bool(false) || claim == "false"
}

#[cfg(test)]
mod tests {
    use backdrop_common::settings::ProviderKind;
    use serde_json::json;

    use super::*;

    fn names(permissions_claim: &str) -> ClaimNames {
        let settings = SignInSettings::for_testing(ProviderKind::Oidc, "http://localhost");
        ClaimNames::new(&SignInSettings { permissions_claim: permissions_claim.to_owned(), ..settings })
    }

    #[track_caller]
    fn check(permissions_claim: &str, claims: &Json, expected: Option<(&str, bool, bool)>) {
        let found = names(permissions_claim).profile(Some(claims), None).ok();
        let found = found.as_ref().map(|found| (found.name.as_str(), found.may_sign_in, found.is_admin));
        assert_eq!(found, expected, "{claims}");
    }

    #[test]
    fn what_claims_say() {
        let ann = |more: Json| {
            let mut claims = json!({"sub": "u1", "email": "ann@example.org", "name": "Ann"});
            claims.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            claims
        };
        check("groups", &ann(json!({"groups": ["signin", "admin"]})), Some(("Ann", true, true)));
        check("groups", &ann(json!({"groups": ["/signin"]})), Some(("Ann", true, false)));
        check("groups", &ann(json!({"groups": "signin"})), Some(("Ann", true, false)));
        check("groups", &ann(json!({"groups": ["signin2", 1, null]})), Some(("Ann", false, false)));
        check("groups", &ann(json!({"groups": {"signin": true}})), Some(("Ann", false, false)));
        check("groups", &ann(json!({})), Some(("Ann", false, false)));
        check(
            "https://example.org/groups",
            &ann(json!({"https://example.org/groups": ["signin"]})),
            Some(("Ann", true, false)),
        );
        check(
            "realm_access.roles",
            &ann(json!({"groups": ["admin"], "realm_access": {"roles": ["signin"]}})),
            Some(("Ann", true, false)),
        );
        check(
            "groups",
            &ann(json!({"name": null, "preferred_username": "ann"})),
            Some(("ann", false, false)),
        );
        check("groups", &ann(json!({"name": " "})), Some(("ann@example.org", false, false)));
        check("groups", &ann(json!({"email_verified": true})), Some(("Ann", false, false)));
        check("groups", &ann(json!({"email_verified": false})), None);
        check("groups", &ann(json!({"email_verified": "false"})), None);
        check("groups", &ann(json!({"email": null})), None);
        check("groups", &ann(json!({"sub": ""})), None);
    }

    #[test]
    fn what_is_missing_is_not_what_is_empty() {
        let missing = |id_token: Option<&Json>, user_info: &Json| {
            names("groups").missing(id_token, Some(user_info)).map(str::to_owned)
        };
        let whole = json!({"email": "ann@example.org", "groups": []});
        assert_eq!(missing(None, &whole), None);
        for (user_info, expected) in [
            (json!({"email": "ann@example.org"}), "groups"),
            (json!({"email": "ann@example.org", "groups": null}), "groups"),
            (json!({"groups": ["signin"]}), "email"),
            (json!({"groups": ["signin"], "email": null}), "email"),
        ] {
            assert_eq!(missing(None, &user_info).as_deref(), Some(expected), "{user_info}");
            assert_eq!(missing(Some(&whole), &user_info), None, "{user_info}");
        }
        assert_eq!(names("a.b").missing(None, None), Some("a.b"));
    }

    #[test]
    fn userinfo_comes_first_and_is_of_the_same_person() {
        let id_token = json!({"sub": "u1", "email": "ann@example.org", "groups": ["signin", "admin"]});
        let user_info = json!({"sub": "u1", "groups": ["signin"]});
        let profile = names("groups").profile(Some(&id_token), Some(&user_info)).expect("a profile");
        assert_eq!((profile.may_sign_in, profile.is_admin), (true, false));
        assert_eq!(profile.email, "ann@example.org");
        let other = json!({"sub": "u2", "email": "ann@example.org"});
        assert!(names("groups").profile(Some(&id_token), Some(&other)).is_err());
    }
}
