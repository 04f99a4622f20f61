//! The records that everything is measured with: the same for a seed, whoever asks for them.
//!
//! `_timestamp` (uniform over two years), `service` (20 texts), `channel` (5), `device` (4), `stage` (10,
//! missing in 3%), `page_path` (5,000), `volume` (an integer from 1 to 1000), `duration` (a float).
//! Records come in no order of time.

use std::fmt::Write as _;

use backdrop_common::timestamp::Timestamp;

use crate::random::Random;

/// Which data this is; a change of anything in this file is another version.
pub const VERSION: u32 = 1;

/// 2022-01-01T00:00:00Z, the earliest time of a record.
pub const START_MILLIS: i64 = 1_640_995_200_000;
/// 2024-01-01T00:00:00Z, before which all times are.
pub const END_MILLIS: i64 = START_MILLIS + SPAN_MILLIS.cast_signed();
const SPAN_MILLIS: u64 = 730 * 86_400_000;

const SEED: u64 = 0x6261_636b_6472_6f70;
const CHANNELS: [&str; 5] = ["web", "phone", "post", "counter", "app"];
const DEVICES: [&str; 4] = ["desktop", "mobile", "tablet", "other"];

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    timestamp: Timestamp,
    service: u64,
    channel: &'static str,
    device: &'static str,
    stage: Option<u64>,
    page: u64,
    volume: u64,
    duration: f64,
}

impl Sample {
    /// The record with that number.
    pub fn new(index: u64) -> Self {
        let mut random = Random::of_record(SEED, index);
        let after_start = random.below(SPAN_MILLIS).cast_signed();
        Self {
            timestamp: Timestamp::from_millis(START_MILLIS + after_start).unwrap_or(Timestamp::MIN),
            service: random.below(20),
            channel: pick(&CHANNELS, &mut random),
            device: pick(&DEVICES, &mut random),
            stage: Some(random.below(10)).filter(|_| random.below(100) >= 3),
            page: random.below(5000),
            volume: random.below(1000) + 1,
            duration: random.unit() * 600.0,
        }
    }

    /// Appends the record as a JSON object, with an `_id` if one is given.
    pub fn write_json(&self, id: Option<u64>, json: &mut String) {
        json.push('{');
        if let Some(id) = id {
            let _ = write!(json, r#""_id":"record-{id:08}","#);
        }
        let Self { timestamp, service, channel, device, page, volume, duration, .. } = self;
        // A String takes whatever is written to it.
        let _ = write!(
            json,
            r#""_timestamp":"{timestamp}","service":"service-{service:02}","channel":"{channel}","#
        );
        let _ = write!(json, r#""device":"{device}","#);
        if let Some(stage) = self.stage {
            let _ = write!(json, r#""stage":"stage-{stage}","#);
        }
        let _ = write!(
            json,
            r#""page_path":"/guidance/page-{page:04}","volume":{volume},"duration":{duration}}}"#
        );
    }

    /// Appends the record as a line of CSV, in the order of [`CSV_HEADER`]; a stage that is missing is empty.
    pub fn write_csv(&self, csv: &mut String) {
        let Self { timestamp, service, channel, device, page, volume, duration, .. } = self;
        let stage = self.stage.map(|stage| format!("stage-{stage}")).unwrap_or_default();
        let _ = writeln!(
            csv,
            "{timestamp},service-{service:02},{channel},{device},{stage},/guidance/page-{page:04},\
             {volume},{duration}"
        );
    }
}

/// The first line of a CSV file.
pub const CSV_HEADER: &str = "timestamp,service,channel,device,stage,page_path,volume,duration\n";

fn pick(texts: &[&'static str], random: &mut Random) -> &'static str {
    texts[usize::try_from(random.below(texts.len() as u64)).unwrap_or(0)]
}

/// A body to POST: the records from number `first` on, as a JSON list.
pub fn json_batch(first: u64, count: u64) -> String {
    batch(first, count, false)
}

/// The same with ids, so that posting it again replaces them.
pub fn json_batch_with_ids(first: u64, count: u64) -> String {
    batch(first, count, true)
}

/// A body of records of which each has values that no other has: a text, an integer and a float. Times are a
/// minute apart, from [`START_MILLIS`] on.
pub fn json_batch_of_distinct(first: u64, count: u64) -> String {
    let record = |index: u64| {
        let time = START_MILLIS + index.cast_signed() * 60_000;
        let time = Timestamp::from_millis(time).unwrap_or(Timestamp::MIN);
        format!(r#"{{"_timestamp":"{time}","uniq":"text-{index:08}","num":{index},"flo":{index}.5}}"#)
    };
    let records: Vec<_> = (first..first + count).map(record).collect();
    format!("[{}]", records.join(","))
}

fn batch(first: u64, count: u64, with_ids: bool) -> String {
    let mut json = String::from("[");
    for index in first..first + count {
        if index > first {
            json.push(',');
        }
        Sample::new(index).write_json(with_ids.then_some(index), &mut json);
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// What was measured with one version must be measurable again.
    #[test]
    fn the_data_of_a_version_never_changes() {
        let json = json_batch(0, 1000);
        let digest = Sha256::digest(json.as_bytes());
        let digest = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        assert_eq!((VERSION, &digest[..16]), (1, "8dd92813c3e928ff"));
    }

    #[test]
    fn the_shape_of_the_data() {
        let samples: Vec<_> = (0..20_000).map(Sample::new).collect();
        let without_stage = samples.iter().filter(|sample| sample.stage.is_none()).count();
        assert!((500..700).contains(&without_stage), "{without_stage}");
        let distinct =
            |of: fn(&Sample) -> u64| samples.iter().map(of).collect::<std::collections::BTreeSet<_>>().len();
        assert_eq!(distinct(|sample| sample.service), 20);
        assert_eq!(distinct(|sample| sample.volume), 1000);
        assert!(distinct(|sample| sample.page) > 4800);
        for sample in &samples {
            assert!((START_MILLIS..END_MILLIS).contains(&sample.timestamp.millis()), "{sample:?}");
        }
    }

    #[test]
    fn a_batch_starts_where_the_one_before_ended() {
        let whole: serde_json::Value = serde_json::from_str(&json_batch(5, 4)).expect("JSON");
        let second: serde_json::Value = serde_json::from_str(&json_batch(7, 2)).expect("JSON");
        assert_eq!(whole[2], second[0]);
        assert_eq!(whole[3], second[1]);
    }

    #[test]
    fn csv_has_what_json_has() {
        let mut csv = String::new();
        Sample::new(3).write_csv(&mut csv);
        let json: serde_json::Value = serde_json::from_str(&json_batch(3, 1)).expect("JSON");
        let cells: Vec<_> = csv.trim_end().split(',').collect();
        assert_eq!(cells.len(), CSV_HEADER.split(',').count());
        assert_eq!(json[0]["_timestamp"], cells[0]);
        assert_eq!(json[0]["page_path"], cells[5]);
        assert_eq!(json[0]["duration"].to_string(), cells[7]);
    }
}
