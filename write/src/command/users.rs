//! `user import | grant | revoke | list`.

use backdrop_common::bucket::BucketName;
use backdrop_common::storage::StorageEngine;
use backdrop_common::user::{GrantChange, User, parse_users};
use clap::Subcommand;

use super::{operator, print_line};

/// What can be done with users.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Create or replace the users of a file: [{"email": …, "buckets": […]}].
    Import {
        /// The file, or - for standard input.
        file: String,
    },
    /// Grant buckets to a user, who is created if new.
    Grant {
        /// The user's email address.
        email: String,
        /// The buckets' names.
        #[arg(required = true)]
        buckets: Vec<String>,
    },
    /// Take buckets away from a user.
    Revoke {
        /// The user's email address.
        email: String,
        /// The buckets' names.
        #[arg(required = true)]
        buckets: Vec<String>,
    },
    /// List the users with their buckets.
    List,
}

impl UserCommand {
    pub(super) async fn run(self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        match self {
            Self::Import { file } => import(engine, &super::read_file(&file)?).await,
            Self::Grant { email, buckets } => {
                change(engine, &email, GrantChange::Grant(names(&buckets)?)).await
            }
            Self::Revoke { email, buckets } => {
                change(engine, &email, GrantChange::Revoke(names(&buckets)?)).await
            }
            Self::List => engine.users().await?.iter().try_for_each(|user| print_line(&line(user))),
        }
    }
}

async fn import(engine: &dyn StorageEngine, json: &str) -> anyhow::Result<()> {
    let users = parse_users(json)?;
    let count = users.len();
    let before = engine.users().await?;
    engine.save_users(users).await?;
    operator::record(engine, operator::granted(&before, &engine.users().await?)).await;
    print_line(&format!("{count} user{} imported", if count == 1 { "" } else { "s" }))
}

fn names(buckets: &[String]) -> anyhow::Result<Vec<BucketName>> {
    Ok(buckets.iter().map(|name| BucketName::parse(name)).collect::<Result<_, _>>()?)
}

async fn change(engine: &dyn StorageEngine, email: &str, change: GrantChange) -> anyhow::Result<()> {
    let email = User::new(email)?.email;
    let before = engine.users().await?;
    let user = engine.change_grants(&email, change).await?;
    operator::record(engine, operator::granted(&before, std::slice::from_ref(&user))).await;
    print_line(&line(&user))
}

fn line(user: &User) -> String {
    let buckets: Vec<_> = user.buckets.iter().map(BucketName::as_str).collect();
    format!("{}\t{}", user.email, buckets.join(" "))
}
