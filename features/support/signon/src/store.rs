//! What the provider knows, while it runs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id_token::Signer;
use crate::mode::{Endpoint, Mode};
use crate::shape::Shape;

/// Everything that the provider knows.
pub struct Store {
    pub(crate) signer: Signer,
    known: Mutex<Known>,
}

pub(crate) struct Known {
    pub(crate) users: Vec<User>,
    /// By code; each is good for one use.
    pub(crate) codes: HashMap<String, Grant>,
    /// By access token.
    pub(crate) access: HashMap<String, Grant>,
    /// By refresh token; each is good for one use.
    pub(crate) refresh: HashMap<String, Grant>,
    pub(crate) modes: HashMap<Endpoint, Mode>,
    pub(crate) shape: Shape,
}

/// A test user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) uid: &'static str,
    pub(crate) name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) email_verified: bool,
    pub(crate) permissions: Vec<String>,
}

/// What a person has agreed to.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) email: String,
    pub(crate) redirect_uri: String,
    pub(crate) code_challenge: String,
    pub(crate) nonce: Option<String>,
    /// Whether an ID token was asked for.
    pub(crate) openid: bool,
}

impl Default for Store {
    fn default() -> Self {
        let user = |uid, name, email, email_verified, permissions: &[&str]| User {
            uid,
            name,
            email,
            email_verified,
            permissions: permissions.iter().map(|&permission| permission.to_owned()).collect(),
        };
        let users = vec![
            user("uid-ann", "Ann Admin", "ann@example.org", true, &["signin", "admin"]),
            user("uid-olive", "Olive Owner", "olive@example.org", true, &["signin"]),
            user("uid-norman", "Norman Nobody", "norman@example.org", true, &[]),
            user("uid-una", "Una Unverified", "una@example.org", false, &["signin"]),
        ];
        let known = Known {
            users,
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            modes: HashMap::new(),
            shape: Shape::Plain,
        };
        Self { signer: Signer::new(), known: Mutex::new(known) }
    }
}

impl Store {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How an endpoint answers.
    pub(crate) fn mode(&self, endpoint: Endpoint) -> Mode {
        self.lock().modes.get(&endpoint).copied().unwrap_or(Mode::Ok)
    }
}

impl Store {
    /// Whose answers it gives.
    pub(crate) fn shape(&self) -> Shape {
        self.lock().shape
    }
}

impl Known {
    pub(crate) fn user(&self, email: &str) -> Option<&User> {
        self.users.iter().find(|user| user.email == email)
    }

    /// Gives a code for what a person has agreed to.
    pub(crate) fn give_code(&mut self, grant: Grant) -> String {
        let code = random();
        self.codes.insert(code.clone(), grant);
        code
    }

    /// Gives an access token and a refresh token.
    pub(crate) fn give_tokens(&mut self, grant: &Grant) -> (String, String) {
        let padded = |padding| format!("{}{}", random(), "x".repeat(padding));
        let (access, refresh) = self.shape.padding();
        let (access, refresh) = (padded(access), padded(refresh));
        self.access.insert(access.clone(), grant.clone());
        self.refresh.insert(refresh.clone(), grant.clone());
        (access, refresh)
    }

    /// Takes back all that a person has agreed to.
    pub(crate) fn revoke(&mut self, email: &str) {
        for grants in [&mut self.codes, &mut self.access, &mut self.refresh] {
            grants.retain(|_, grant| grant.email != email);
        }
    }
}

fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}
