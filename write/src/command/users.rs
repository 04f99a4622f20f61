//! `user import | grant | revoke | list`.

use anyhow::Context;
use backdrop_common::bucket::BucketName;
use backdrop_common::storage::StorageEngine;
use backdrop_common::user::{User, parse_users};
use clap::Subcommand;

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
                let mut user = find(engine, &email).await?.map_or_else(|| User::new(&email), Ok)?;
                user.grant(&names(&buckets)?);
                save(engine, user).await
            }
            Self::Revoke { email, buckets } => {
                let mut user =
                    find(engine, &email).await?.with_context(|| format!("there is no user \"{email}\""))?;
                user.revoke(&names(&buckets)?);
                save(engine, user).await
            }
            Self::List => {
                for user in engine.users().await? {
                    println!("{}", line(&user));
                }
                Ok(())
            }
        }
    }
}

async fn import(engine: &dyn StorageEngine, json: &str) -> anyhow::Result<()> {
    let users = parse_users(json)?;
    let count = users.len();
    engine.save_users(users).await?;
    println!("{count} user{} imported", if count == 1 { "" } else { "s" });
    Ok(())
}

async fn find(engine: &dyn StorageEngine, email: &str) -> anyhow::Result<Option<User>> {
    let email = User::new(email)?.email;
    Ok(engine.users().await?.into_iter().find(|user| user.email == email))
}

fn names(buckets: &[String]) -> anyhow::Result<Vec<BucketName>> {
    Ok(buckets.iter().map(|name| BucketName::parse(name)).collect::<Result<_, _>>()?)
}

async fn save(engine: &dyn StorageEngine, user: User) -> anyhow::Result<()> {
    let line = line(&user);
    engine.save_users(vec![user]).await?;
    println!("{line}");
    Ok(())
}

fn line(user: &User) -> String {
    let buckets: Vec<_> = user.buckets.iter().map(BucketName::as_str).collect();
    format!("{}\t{}", user.email, buckets.join(" "))
}
