//! What the original Backdrop left: a configuration that has the token itself; records with the ids
//! that MongoDB made, numbers of 32 bits, and no time of writing.

use std::fs;

use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, doc};
use cucumber::given;

use crate::world::BackdropWorld;

/// As `mongodump` writes it.
#[given(expr = "a dump {string} of the original Backdrop, of a bucket {string} with {int} records")]
fn original_dump(world: &mut BackdropWorld, dump: String, bucket: String, count: i32) -> anyhow::Result<()> {
    let folder = world.installation.folder().join(dump).join("backdrop");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("buckets.bson"), config(&bucket).to_vec()?)?;
    let mut written = Vec::new();
    for record in records(count) {
        written.extend(record.to_vec()?);
    }
    fs::write(folder.join(format!("{bucket}.bson")), written)?;
    fs::write(folder.join("system.indexes.bson"), doc! {"ns": "backdrop.foo"}.to_vec()?)?;
    fs::write(folder.join("prelude.json"), "{}")?;
    Ok(())
}

/// It has a bucket "foo" with two records.
#[given("a database of the original Backdrop")]
async fn original_database(world: &mut BackdropWorld) -> anyhow::Result<()> {
    let database = world.installation.database().connect().await?;
    database.collection("buckets").insert_one(config("foo")).await?;
    database.collection("foo").insert_many(records(2)).await?;
    Ok(())
}

fn config(bucket: &str) -> Document {
    doc! {
        "_id": bucket, "name": bucket, "data_group": bucket, "data_type": "records",
        "bearer_token": format!("tok-{bucket}"), "raw_queries_allowed": true, "queryable": true,
        "published": true, "realtime": false, "capped_size": 5040.0, "auto_ids": Bson::Null,
        "upload_format": "csv", "upload_filters": Bson::Null, "max_age_expected": Bson::Null,
    }
}

fn records(count: i32) -> impl Iterator<Item = Document> {
    let time = DateTime::from_millis(0);
    (0..count).map(
        move |size| doc! {"_id": ObjectId::new(), "size": size, "_timestamp": time, "_day_start_at": time},
    )
}
