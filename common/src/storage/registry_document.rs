//! Buckets and users as BSON documents, in the form of the original Backdrop's collections: what
//! MongoDB keeps of them, and what an export holds.
//!
//! ```text
//! buckets  { _id: name, name, data_group, data_type, …, schema: JSON text,
//!            token_hash, retiring_tokens: [ { token_hash, until } ] }
//! users    { _id: email, email, buckets: [ name ] }
//! ```
//!
//! What the original wrote reads too: numbers in any of BSON's types, a schema as a document, names
//! that mean nothing to us, and the bearer token itself where we keep its hash.

use bson::raw::RawDocument;
use bson::{Bson, Document, RawBsonRef};
use serde_json::{Map, Number, Value as Json};

use crate::bucket::seed::{BucketSeed, InvalidBucket, parse_seed};
use crate::bucket::{
    Bucket, BucketConfig, BucketName, BucketTokens, InvalidBucketName, RetiringToken, SchemaText,
    UploadFormat,
};
use crate::limits::{DUMP_ENTRY_BYTES, SCHEMA_DEPTH};
use crate::record::schema::RecordSchema;
use crate::timestamp::Timestamp;
use crate::token::{DamagedTokenHash, TokenHash};
use crate::user::{GrantChange, InvalidUser, User};
use crate::value::exact_int;

/// The key under which a document names itself.
const ID: &str = "_id";
/// Where the original Backdrop kept a bucket's token.
pub(crate) const BEARER_TOKEN: &str = "bearer_token";
/// Where we keep its hash.
pub(crate) const TOKEN_HASH: &str = "token_hash";
/// Where we keep those that end by themselves.
pub(crate) const RETIRING_TOKENS: &str = "retiring_tokens";
/// How deep a document may be nested: a schema in a configuration.
const MAX_DEPTH: usize = SCHEMA_DEPTH + 1;
/// When one of them ends.
const UNTIL: &str = "until";

/// A document is not that of a bucket or of a user. `Display` has no token in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidRegistryDocument {
    /// It is no BSON document at all.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It has more bytes than any of ours.
    #[error("an entry of {} bytes, and at most {} are taken", .0, DUMP_ENTRY_BYTES)]
    TooLarge(usize),
    /// A bucket is in a dump twice.
    #[error("bucket \"{0}\" is there already")]
    Twice(BucketName),
    /// It is nested deeper than any of ours.
    #[error("it is nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// A bucket's configuration has a fault.
    #[error("bucket {name}: {fault}")]
    Bucket {
        /// The name that it gives itself.
        name: String,
        /// What is wrong.
        fault: InvalidBucket,
    },
    /// What is kept of a bucket's token is not readable.
    #[error("bucket \"{name}\": {fault}")]
    Token {
        /// The bucket's name.
        name: BucketName,
        /// What is wrong.
        fault: DamagedTokenHash,
    },
    /// A user has no address, or one that is none.
    #[error("a user: {0}")]
    User(#[from] InvalidUser),
    /// What a user is granted is no list of buckets.
    #[error("user {email}: buckets must be a list of bucket names{}", .fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default())]
    Grants {
        /// The user's address.
        email: String,
        /// The text in the list that is no name, if it is a list of texts.
        fault: Option<InvalidBucketName>,
    },
}

/// Reads the bytes of a document, within bounds: whoever makes a dump may nest as deep as they like.
pub(crate) fn parse(bytes: &[u8]) -> Result<Document, InvalidRegistryDocument> {
    if bytes.len() > DUMP_ENTRY_BYTES {
        return Err(InvalidRegistryDocument::TooLarge(bytes.len()));
    }
    let damaged = |error: &dyn std::fmt::Display| InvalidRegistryDocument::Damaged(error.to_string());
    let document = RawDocument::from_bytes(bytes).map_err(|error| damaged(&error))?;
    if is_deeper(document, MAX_DEPTH).map_err(|error| damaged(&error))? {
        return Err(InvalidRegistryDocument::TooDeep);
    }
    Document::try_from(document).map_err(|error| damaged(&error))
}

/// Whether a document is nested deeper than so much.
fn is_deeper(document: &RawDocument, most: usize) -> Result<bool, bson::error::Error> {
    let mut open = vec![document.iter_elements()];
    while let Some(last) = open.last_mut() {
        let Some(element) = last.next() else {
            open.pop();
            continue;
        };
        let inner = match element?.value()? {
            RawBsonRef::Document(inner) => inner,
            RawBsonRef::Array(inner) => RawDocument::from_bytes(inner.as_bytes())?,
            RawBsonRef::JavaScriptCodeWithScope(code) => code.scope,
            _ => continue,
        };
        if open.len() == most {
            return Ok(true);
        }
        open.push(inner.iter_elements());
    }
    Ok(false)
}

/// The bytes of a document that was encoded here.
pub(crate) fn to_bytes(document: &Document) -> Vec<u8> {
    document.to_vec().expect("keys that have no NUL, and values of a few megabytes at most")
}

/// The document of a bucket.
pub(crate) fn encode_bucket(config: &BucketConfig, tokens: &BucketTokens) -> Document {
    // Taken apart, so that a new setting is not forgotten here.
    let BucketConfig {
        name,
        data_group,
        data_type,
        raw_queries_allowed,
        queryable,
        published,
        realtime,
        capped_size,
        auto_ids,
        upload_format,
        upload_filters,
        max_age_expected,
        schema,
    } = config;
    let upload_format = match upload_format {
        UploadFormat::Csv => "csv",
        UploadFormat::Excel => "excel",
    };
    let mut document = bson::doc! {
        ID: name.as_str(),
        "name": name.as_str(),
        "data_group": data_group.clone(),
        "data_type": data_type.clone(),
        "raw_queries_allowed": raw_queries_allowed,
        "queryable": queryable,
        "published": published,
        "realtime": realtime,
        "capped_size": capped_size.map(number),
        "auto_ids": auto_ids.clone(),
        "upload_format": upload_format,
        "upload_filters": upload_filters.clone(),
        "max_age_expected": max_age_expected.map(number),
        // As text: the keys of a schema may start with a dollar sign, which MongoDB refuses.
        "schema": schema.as_ref().map(SchemaText::as_str),
    };
    document.extend(encode_tokens(tokens));
    document
}

/// The part of a bucket's document that has its tokens.
pub(crate) fn encode_tokens(BucketTokens { current, retiring }: &BucketTokens) -> Document {
    let retiring = retiring.iter().map(|RetiringToken { hash, until }| {
        bson::doc! { TOKEN_HASH: hash.to_text(), UNTIL: bson::DateTime::from_millis(until.millis()) }
    });
    bson::doc! {
        TOKEN_HASH: current.as_ref().map(TokenHash::to_text),
        RETIRING_TOKENS: retiring.collect::<Vec<_>>(),
    }
}

/// BSON has no unsigned numbers. More bytes or seconds than it can hold are as good as no limit.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The bucket of a document. Whether its schema is one is not looked at; who takes a document from elsewhere
/// has [`check_schema`] do that.
pub(crate) fn decode_bucket(document: &Document) -> Result<Bucket, InvalidRegistryDocument> {
    let mut settings = settings(document);
    let schema = stored_schema(document);
    let hash = settings.remove(TOKEN_HASH);
    settings.remove(RETIRING_TOKENS);
    let name = settings.get("name").map_or_else(|| "without a name".to_owned(), Json::to_string);
    let of_bucket = |fault| InvalidRegistryDocument::Bucket { name: name.clone(), fault };
    let schema = schema.map_err(of_bucket)?;
    let BucketSeed { mut config, token, .. } = parse_seed(None, settings).map_err(of_bucket)?;
    config.schema = schema;
    let damaged = |fault| InvalidRegistryDocument::Token { name: config.name.clone(), fault };
    let mut tokens = BucketTokens::default();
    // What is kept in the form of the original is as if it were sent now.
    tokens.change(&token);
    if let Some(Json::String(hash)) = hash {
        tokens.current = Some(hash.parse().map_err(damaged)?);
    }
    tokens.retiring = retiring(document).map_err(damaged)?;
    Ok(Bucket { config, tokens })
}

/// Checks that the schema of a bucket, if it has one, is one that may be saved.
pub(crate) fn check_schema(config: &BucketConfig) -> Result<(), InvalidRegistryDocument> {
    let Some(schema) = &config.schema else { return Ok(()) };
    let checked =
        schema.parse().map_err(|error| error.to_string()).and_then(|schema| RecordSchema::compile(&schema));
    checked.map(drop).map_err(|reason| InvalidRegistryDocument::Bucket {
        name: format!("\"{}\"", config.name),
        fault: InvalidBucket::Schema { index: None, reason },
    })
}

/// The schema of a document: our text, or what the original had in its place.
fn stored_schema(document: &Document) -> Result<Option<SchemaText>, InvalidBucket> {
    let fault = |given: &str| InvalidBucket::schema_is_no_object(given);
    match document.get("schema") {
        None | Some(Bson::Null) => Ok(None),
        Some(Bson::String(text)) => {
            SchemaText::stored(text).map(Some).ok_or_else(|| fault(&format!("{text:?}")))
        }
        Some(Bson::Document(schema)) => Ok(Some(Json::Object(object(schema)).into())),
        Some(other) => Err(fault(&json(other).to_string())),
    }
}

/// The tokens that retire, of which a document of an earlier version says nothing.
fn retiring(document: &Document) -> Result<Vec<RetiringToken>, DamagedTokenHash> {
    let tokens = match document.get(RETIRING_TOKENS) {
        None | Some(Bson::Null) => return Ok(Vec::new()),
        Some(Bson::Array(tokens)) => tokens,
        Some(_) => return Err(DamagedTokenHash),
    };
    let token = |token: &Bson| {
        let token = token.as_document()?;
        let hash = token.get_str(TOKEN_HASH).ok()?.parse().ok()?;
        let until = Timestamp::from_millis(token.get_datetime(UNTIL).ok()?.timestamp_millis())?;
        Some(RetiringToken { hash, until })
    };
    tokens.iter().map(|stored| token(stored).ok_or(DamagedTokenHash)).collect()
}

/// A document as an entry of a seed file.
fn settings(document: &Document) -> Map<String, Json> {
    let others = document.iter().filter(|(key, _)| *key != "schema");
    let mut settings: Map<String, Json> = others.map(|(key, value)| (key.clone(), json(value))).collect();
    if let Some(id) = settings.remove(ID)
        && !settings.contains_key("name")
    {
        settings.insert("name".to_owned(), id);
    }
    // A bucket with an empty token took no writes, as one without.
    if settings.get(BEARER_TOKEN).is_some_and(|token| token == "") {
        settings.remove(BEARER_TOKEN);
    }
    settings
}

fn object(document: &Document) -> Map<String, Json> {
    document.iter().map(|(key, value)| (key.clone(), json(value))).collect()
}

/// A value as JSON: whole numbers as integers, whichever type they have; what JSON has no type for
/// as text, which no setting takes by mistake for something else.
fn json(value: &Bson) -> Json {
    match value {
        Bson::Null => Json::Null,
        Bson::Boolean(value) => (*value).into(),
        Bson::Int32(value) => (*value).into(),
        Bson::Int64(value) => (*value).into(),
        Bson::Double(value) => match exact_int(*value) {
            Some(whole) => whole.into(),
            None => Number::from_f64(*value).map_or_else(|| value.to_string().into(), Json::Number),
        },
        Bson::String(value) => value.as_str().into(),
        Bson::Array(items) => items.iter().map(json).collect(),
        Bson::Document(document) => Json::Object(object(document)),
        other => other.to_string().into(),
    }
}

/// The document of a user.
pub(crate) fn encode_user(user: &User) -> Document {
    let buckets: Vec<&str> = user.buckets.iter().map(BucketName::as_str).collect();
    bson::doc! { ID: &user.email, "email": &user.email, "buckets": buckets }
}

/// The user of a document.
pub(crate) fn decode_user(document: &Document) -> Result<User, InvalidRegistryDocument> {
    let email = document.get_str("email").or_else(|_| document.get_str(ID)).unwrap_or_default();
    let mut user = User::new(email)?;
    user.change(&GrantChange::Grant(grants(document, email)?));
    Ok(user)
}

fn grants(document: &Document, email: &str) -> Result<Vec<BucketName>, InvalidRegistryDocument> {
    let fault = |fault| InvalidRegistryDocument::Grants { email: email.to_owned(), fault };
    let names = match document.get("buckets") {
        None | Some(Bson::Null) => return Ok(Vec::new()),
        Some(Bson::Array(names)) => names,
        Some(_) => return Err(fault(None)),
    };
    let name = |name: &Bson| {
        let name = name.as_str().ok_or_else(|| fault(None))?;
        BucketName::parse(name).map_err(|invalid| fault(Some(invalid)))
    };
    names.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use bson::doc;
    use serde_json::json;

    use super::*;

    fn name(text: &str) -> BucketName {
        BucketName::parse(text).expect("a name")
    }

    fn full() -> BucketConfig {
        BucketConfig {
            data_group: Some("group".to_owned()),
            data_type: Some("type é".to_owned()),
            raw_queries_allowed: true,
            queryable: false,
            published: false,
            realtime: true,
            capped_size: Some(4_000_000_000_000),
            auto_ids: vec!["_timestamp".to_owned(), "kind".to_owned()],
            upload_format: UploadFormat::Excel,
            upload_filters: vec!["first_sheet".to_owned()],
            max_age_expected: None,
            schema: Some(
                json!({
                    "$schema": "http://json-schema.org/draft-04/schema#",
                    "definitions": {"a.b": {"type": "number", "minimum": 0.5}},
                    "properties": {"size": {"$ref": "#/definitions/a.b"}},
                })
                .into(),
            ),
            ..BucketConfig::new(name("foo"))
        }
    }

    #[test]
    fn a_bucket_reads_back() {
        let hash = |token: &str| TokenHash::new(&token.to_owned().into());
        let retiring = |token, millis| RetiringToken {
            hash: hash(token),
            until: Timestamp::from_millis(millis).expect("a time"),
        };
        let tokens = BucketTokens {
            current: Some(hash("tok-foo")),
            retiring: vec![retiring("tok-old", 1_388_534_400_001), retiring("tok-older", 0)],
        };
        for (config, tokens) in [(full(), tokens), (BucketConfig::new(name("bar")), BucketTokens::default())]
        {
            let encoded = encode_bucket(&config, &tokens);
            let bucket = decode_bucket(&parse(&to_bytes(&encoded)).expect("a document")).expect("a bucket");
            assert_eq!(bucket.config, config);
            assert_eq!(bucket.tokens, tokens);
        }
    }

    #[test]
    fn a_bucket_is_stored_as_backdrop_did() {
        let encoded = encode_bucket(&full(), &BucketTokens::default());
        let keys: Vec<&str> = encoded.keys().map(String::as_str).collect();
        assert_eq!(keys[..3], ["_id", "name", "data_group"]);
        assert_eq!(encoded.get_str("_id").ok(), Some("foo"));
        assert!(encoded.get_str("schema").is_ok_and(|schema| schema.contains("\"$ref\"")));
        assert!(!encoded.contains_key("bearer_token"));
    }

    #[test]
    fn a_bucket_of_backdrop_is_read() {
        let bucket = decode_bucket(&doc! {
            "_id": "foo", "data_group": "group", "data_type": "type", "bearer_token": "tok-foo",
            "raw_queries_allowed": true, "capped_size": 5040.0, "realtime": true, "auto_ids": Bson::Null,
            "max_age_expected": 86_400_i32, "schema": {"properties": {"aa": {"minLength": 1.0}}},
            "colour": "red", "made": bson::DateTime::from_millis(0), "by": bson::oid::ObjectId::new(),
        })
        .expect("a bucket");
        assert_eq!(bucket.name(), &name("foo"));
        assert_eq!(bucket.config.cap(), Some(5040));
        assert_eq!(bucket.config.max_age_expected, Some(86_400));
        assert_eq!(bucket.config.schema, Some(json!({"properties": {"aa": {"minLength": 1}}}).into()));
        assert!(bucket.tokens.allows("tok-foo", Timestamp::MIN));
    }

    #[test]
    fn a_bucket_without_a_token_has_none() {
        for token in [Bson::Null, Bson::String(String::new())] {
            let bucket = decode_bucket(&doc! {"name": "foo", "bearer_token": token}).expect("a bucket");
            assert_eq!(bucket.tokens, BucketTokens::default());
        }
        let none = doc! {"name": "foo", "token_hash": Bson::Null, "retiring_tokens": Bson::Null};
        assert_eq!(decode_bucket(&none).expect("a bucket").tokens, BucketTokens::default());
    }

    #[test]
    fn a_user_reads_back() {
        let user = User { email: "ann@example.org".to_owned(), buckets: vec![name("foo"), name("bar")] };
        let encoded = encode_user(&user);
        assert_eq!(encoded, doc! {"_id": &user.email, "email": &user.email, "buckets": ["foo", "bar"]});
        assert_eq!(decode_user(&encoded).ok(), Some(user));
        let of_backdrop = doc! {"_id": "Ann@example.org", "buckets": ["foo", "foo"], "admin": true};
        let read = decode_user(&of_backdrop).expect("a user");
        assert_eq!((read.email.as_str(), read.buckets.len()), ("ann@example.org", 1));
    }

    #[test]
    fn faults_of_documents() {
        let bucket = |document: Document| decode_bucket(&document).expect_err("a fault").to_string();
        let user = |document: Document| decode_user(&document).expect_err("a fault").to_string();
        let messages = [
            parse(&[5, 0, 0]).expect_err("a fault").to_string(),
            bucket(doc! {}),
            bucket(doc! {"_id": "1foo"}),
            bucket(doc! {"_id": "foo", "capped_size": 1.5}),
            bucket(doc! {"_id": "foo", "max_age_expected": f64::NAN}),
            bucket(doc! {"_id": "foo", "bearer_token": "se cret"}),
            bucket(doc! {"_id": "foo", "token_hash": "sha256:secret"}),
            bucket(doc! {"_id": "foo", "retiring_tokens": "secret"}),
            bucket(doc! {"_id": "foo", "retiring_tokens": [{"token_hash": "sha256:secret"}]}),
            bucket(doc! {"_id": "foo", "schema": "{"}),
            bucket(doc! {"_id": "foo", "schema": 5}),
            user(doc! {"buckets": []}),
            user(doc! {"_id": 5}),
            user(doc! {"_id": "a@b", "buckets": "foo"}),
            user(doc! {"_id": "a@b", "buckets": [5]}),
            user(doc! {"_id": "a@b", "buckets": ["1foo"]}),
        ]
        .join("\n");
        assert!(!messages.contains("cret"), "{messages}");
        insta::assert_snapshot!(messages, @r#"
        it is damaged: BSON error. Kind: Malformed BSON bytes. Message: document too short.
        bucket without a name: name must be a bucket name (a letter, then letters, digits, "_", "." or "-"), not null
        bucket "1foo": name must be a bucket name (a letter, then letters, digits, "_", "." or "-"), not "1foo"
        bucket "foo": capped_size must be a number of bytes or null, not 1.5
        bucket "foo": max_age_expected must be a number of seconds or null, not "NaN"
        bucket "foo": bearer_token must be visible ASCII text without spaces, or null, not what it is
        bucket "foo": a stored token hash is damaged
        bucket "foo": a stored token hash is damaged
        bucket "foo": a stored token hash is damaged
        bucket "foo": schema must be a JSON object or null, not "{"
        bucket "foo": schema must be a JSON object or null, not 5
        a user: "" is not an email address: text with one "@" and no white space
        a user: "" is not an email address: text with one "@" and no white space
        user a@b: buckets must be a list of bucket names
        user a@b: buckets must be a list of bucket names
        user a@b: buckets must be a list of bucket names: "1foo" is not a bucket name: a letter, then letters, digits, "_", "." or "-", two characters at least
        "#);
    }
}
