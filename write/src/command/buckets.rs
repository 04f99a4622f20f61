//! `bucket import | create | list | show | token | delete`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use backdrop_common::audit::AuditAction;
use backdrop_common::bucket::seed::{BucketSeed, parse_seeds};
use backdrop_common::bucket::{Bucket, BucketAddress, BucketName, TokenChange};
use backdrop_common::storage::{BucketSave, Expected, StorageEngine};
use backdrop_common::telemetry::tell;
use backdrop_common::timestamp::Timestamp;
use backdrop_common::token::{TokenHash, make_token};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value as Json};

use super::operator::{self, Deed};
use super::print_line;

/// What can be done with buckets.
#[derive(Subcommand)]
pub enum BucketCommand {
    /// Create or change the buckets of a seed file, a JSON list of configurations.
    Import {
        /// The file, or - for standard input.
        file: String,
    },
    /// Create a bucket and show its token, once.
    Create(Create),
    /// List the buckets.
    List,
    /// Show the configuration of a bucket, as a seed file has it, without the token.
    Show {
        /// The bucket's name.
        name: String,
    },
    /// Make a new token for a bucket, in place of the one it has, and show it, once.
    Token(ChangeToken),
    /// Delete a bucket with all of its records.
    Delete {
        /// The bucket's name.
        name: String,
    },
}

/// A token to make or to take away.
#[derive(Args)]
pub struct ChangeToken {
    /// The bucket's name.
    name: String,
    /// Let the token before it be valid for so long yet, so that who sends records can take the new one.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    overlap: Option<u32>,
    /// Make none, and take away all that there are, at once: the bucket takes no more records.
    #[arg(long, conflicts_with = "overlap")]
    revoke: bool,
}

/// A bucket to create.
#[derive(Args)]
pub struct Create {
    /// A letter, then letters, digits, "_", "." or "-".
    name: String,
    /// With --data-type, the bucket's second address: /data/GROUP/TYPE.
    #[arg(long, requires = "data_type")]
    data_group: Option<String>,
    /// See --data-group.
    #[arg(long, requires = "data_group")]
    data_type: Option<String>,
    /// Let anybody read the records as they are, and spans shorter than a week.
    #[arg(long)]
    raw_queries_allowed: bool,
    /// Let answers be cached for two minutes only, and --capped-size apply.
    #[arg(long)]
    realtime: bool,
    /// Bytes of records that a realtime bucket keeps.
    #[arg(long, value_name = "BYTES", requires = "realtime")]
    capped_size: Option<u64>,
    /// Warn in answers that the data is not published, and let nothing cache them.
    #[arg(long)]
    unpublished: bool,
    /// Make the _id of these fields' values.
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    auto_ids: Vec<String>,
    /// Seconds after its newest record at which the bucket is stale.
    #[arg(long, value_name = "SECONDS")]
    max_age_expected: Option<u64>,
}

impl BucketCommand {
    pub(super) async fn run(self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        match self {
            Self::Import { file } => import(engine, &super::read_file(&file)?).await,
            Self::Create(create) => create.run(engine).await,
            Self::List => list(engine).await,
            Self::Show { name } => show(engine, &name).await,
            Self::Token(token) => token.run(engine).await,
            Self::Delete { name } => delete(engine, &name).await,
        }
    }
}

async fn import(engine: &dyn StorageEngine, json: &str) -> anyhow::Result<()> {
    let seeds = parse_seeds(json)?;
    for BucketSeed { config, unknown, .. } in &seeds {
        for name in unknown {
            tell(format_args!(
                "bucket \"{}\": \"{name}\" is no setting of a bucket and is left out",
                config.name
            ));
        }
    }
    let count = seeds.len();
    let deeds = operator::imported(&engine.buckets().await?, &seeds);
    let saves = seeds.into_iter().map(|BucketSeed { config, token, .. }| BucketSave::new(config, token));
    engine.save_buckets(saves.collect()).await?;
    operator::record(engine, deeds).await;
    print_line(&format!("{count} bucket{} imported", if count == 1 { "" } else { "s" }))
}

impl Create {
    /// The entry of a seed file that says the same, so that the same rules are applied to it.
    fn seed(&self) -> Json {
        let mut seed = Map::new();
        let mut set = |name: &str, value: Json| seed.insert(name.to_owned(), value);
        set("name", self.name.clone().into());
        set("data_group", self.data_group.clone().into());
        set("data_type", self.data_type.clone().into());
        set("raw_queries_allowed", self.raw_queries_allowed.into());
        set("realtime", self.realtime.into());
        set("capped_size", self.capped_size.into());
        set("published", (!self.unpublished).into());
        set("auto_ids", self.auto_ids.clone().into());
        if let Some(seconds) = self.max_age_expected {
            set("max_age_expected", seconds.into());
        }
        Json::Array(vec![Json::Object(seed)])
    }

    async fn run(&self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        let seeds = parse_seeds(&self.seed().to_string())?;
        let config = seeds.into_iter().next().context("no bucket")?.config;
        let name = config.name.clone();
        if engine.bucket(&BucketAddress::Name(name.clone())).await?.is_some() {
            bail!("there is a bucket \"{name}\" already; change it with: bucket import");
        }
        let token = make_token();
        let save = BucketSave::new(config, TokenChange::Set(TokenHash::new(&token)));
        let save = save.expecting(Expected::Nothing);
        engine.save_buckets(vec![save]).await?;
        operator::record(engine, [Deed::new(AuditAction::CreateBucket, &name, "with a token")]).await;
        print_line(&format!("bucket \"{name}\" created"))?;
        show_token(&token)
    }
}

/// The token alone goes to standard output's last line, where a script can take it from.
fn show_token(token: &SecretString) -> anyhow::Result<()> {
    tell("its token, which is not shown again:");
    // Who does not get the token cannot ask for it again, so a reader that is gone is an error here.
    writeln!(std::io::stdout(), "{}", token.expose_secret()).context("cannot print the token")
}

async fn list(engine: &dyn StorageEngine) -> anyhow::Result<()> {
    let now = Timestamp::now();
    engine.buckets().await?.iter().try_for_each(|bucket| print_line(&line(bucket, now)))?;
    engine.unreadable_buckets().await?.iter().for_each(tell);
    Ok(())
}

fn line(Bucket { config, tokens }: &Bucket, now: Timestamp) -> String {
    let address = config.data_type_address().map_or_else(|| "-".to_owned(), |address| address.to_string());
    let flags = [
        (config.raw_queries_allowed, "raw queries allowed"),
        (config.realtime, "realtime"),
        (!config.queryable, "not queryable"),
        (!config.published, "not published"),
        (tokens.allow_nothing(now), "no token"),
    ];
    let flags: Vec<_> = flags.into_iter().filter(|(set, _)| *set).map(|(_, flag)| flag).collect();
    format!("{}\t{address}\t{}", config.name, flags.join(", "))
}

async fn show(engine: &dyn StorageEngine, name: &str) -> anyhow::Result<()> {
    let bucket = find(engine, name).await?;
    print_line(&serde_json::to_string_pretty(&[bucket.config])?)
}

impl ChangeToken {
    async fn run(self, engine: &dyn StorageEngine) -> anyhow::Result<()> {
        let bucket = BucketName::parse(&self.name)?;
        if self.revoke {
            change_tokens(engine, &bucket, TokenChange::Remove).await?;
            let deed = Deed::new(AuditAction::RevokeToken, &bucket, "all of them, at once");
            operator::record(engine, [deed]).await;
            return print_line(&format!("bucket \"{bucket}\" has no token any more"));
        }
        let token = make_token();
        let hash = TokenHash::new(&token);
        let (change, action, detail) = match self.overlap {
            None => {
                (TokenChange::Set(hash), AuditAction::MakeToken, "the one before it ended at once".to_owned())
            }
            Some(seconds) => {
                let now = Timestamp::now();
                let until = now.later(Duration::from_secs(seconds.into()));
                let detail = format!("the one before it is valid until {until}");
                (TokenChange::Rotate { hash, now, until }, AuditAction::RotateToken, detail)
            }
        };
        change_tokens(engine, &bucket, change).await?;
        operator::record(engine, [Deed::new(action, &bucket, detail)]).await;
        show_token(&token)
    }
}

async fn change_tokens(
    engine: &dyn StorageEngine,
    bucket: &BucketName,
    change: TokenChange,
) -> anyhow::Result<()> {
    if engine.change_tokens(bucket, change).await? {
        return Ok(());
    }
    bail!("there is no bucket \"{bucket}\"");
}

async fn delete(engine: &dyn StorageEngine, name: &str) -> anyhow::Result<()> {
    let name = BucketName::parse(name)?;
    if !engine.delete_bucket(&name).await? {
        bail!("there is no bucket \"{name}\"");
    }
    operator::record(engine, [Deed::new(AuditAction::DeleteBucket, &name, "with its records")]).await;
    print_line(&format!("bucket \"{name}\" deleted"))
}

async fn find(engine: &dyn StorageEngine, name: &str) -> anyhow::Result<Bucket> {
    let address = BucketAddress::Name(BucketName::parse(name)?);
    engine.bucket(&address).await?.with_context(|| format!("there is no bucket \"{name}\""))
}
