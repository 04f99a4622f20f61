//! What a scenario starts with.

use cucumber::gherkin::Step;
use cucumber::given;

use crate::table;
use crate::world::{BackdropWorld, fixture};

#[given(expr = "a bucket {string}")]
async fn a_bucket(world: &mut BackdropWorld, name: String) -> anyhow::Result<()> {
    world.create_bucket(&name, &[]).await
}

#[given(expr = "a bucket {string} with the settings")]
async fn a_bucket_with_settings(world: &mut BackdropWorld, name: String, step: &Step) -> anyhow::Result<()> {
    let settings = table::pairs(step)?;
    let settings: Vec<_> = settings.into_iter().map(|(name, value)| (name, table::cell(value))).collect();
    world.create_bucket(&name, &settings).await
}

#[given(expr = "a bucket {string} with the schema")]
async fn a_bucket_with_schema(world: &mut BackdropWorld, name: String, step: &Step) -> anyhow::Result<()> {
    world.create_bucket(&name, &[("schema", table::json(step)?)]).await
}

#[given(expr = "a bucket {string} with the records of {string}")]
async fn a_bucket_with_fixture(world: &mut BackdropWorld, name: String, file: String) -> anyhow::Result<()> {
    world.create_bucket(&name, &[]).await?;
    world.load(&name, fixture(&file)?).await
}

#[given(expr = "a bucket {string} with the records")]
async fn a_bucket_with_records(world: &mut BackdropWorld, name: String, step: &Step) -> anyhow::Result<()> {
    world.create_bucket(&name, &[]).await?;
    world.load(&name, table::sent(step)?).await
}

#[given(expr = "{string} holds the records of {string}")]
async fn holds_fixture(world: &mut BackdropWorld, bucket: String, file: String) -> anyhow::Result<()> {
    world.load(&bucket, fixture(&file)?).await
}

#[given(expr = "{string} holds the records")]
async fn holds_records(world: &mut BackdropWorld, bucket: String, step: &Step) -> anyhow::Result<()> {
    world.load(&bucket, table::sent(step)?).await
}

#[given(expr = "the setting {word} is {string}")]
fn a_setting(world: &mut BackdropWorld, name: String, value: String) {
    world.installation.set(&name, &value);
}

#[given(expr = "the setting {word} is not set")]
fn no_setting(world: &mut BackdropWorld, name: String) {
    world.installation.unset(&name);
}

#[given("the ports come from the settings")]
fn ports_from_settings(world: &mut BackdropWorld) {
    world.installation.set_ports();
}

#[given(expr = "a file {string}")]
fn a_file(world: &mut BackdropWorld, name: String, step: &Step) -> anyhow::Result<()> {
    std::fs::write(world.installation.folder().join(name), table::text(step)?)?;
    Ok(())
}
