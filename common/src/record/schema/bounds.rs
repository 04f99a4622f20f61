//! How much work a schema may be: how deep and how large it is, how many steps it takes to check a record, how
//! many patterns it has. Found out before it is compiled, so that no record can make it expensive.
//!
//! A step is one schema that is looked at for one value. `$ref`s are followed, so what is referred to twice
//! counts twice, as it is checked twice.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json};

use super::NESTED_ITEMS;
use crate::limits::{SCHEMA_BYTES, SCHEMA_DEPTH, SCHEMA_PATTERNS, SCHEMA_STEPS};
use crate::shown::beginning;

/// How often a schema counts that applies to every field of a record.
const FIELDS: u64 = 100;
/// So many members of a list, as of the values that are allowed, count as a step.
const MEMBERS_OF_A_STEP: u64 = 8;
/// How many levels what a schema sees has: a record, its values, and two more of those that are lists.
const LEVELS: u8 = 4;

/// What keywords do with the schemas in them.
#[derive(Clone, Copy)]
enum Applies {
    /// They are for the same value.
    Here,
    /// They are for some of the values in it.
    Inside,
    /// Each of them is for all values in it.
    ToEach,
    /// They only apply where something refers to them.
    Nowhere,
}

fn applies(keyword: &str) -> Option<Applies> {
    Some(match keyword {
        "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" | "dependentSchemas"
        | "dependencies" | "extends" | "disallow" => Applies::Here,
        "properties" | "prefixItems" => Applies::Inside,
        "items"
        | "additionalItems"
        | "additionalProperties"
        | "patternProperties"
        | "propertyNames"
        | "contains"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema" => Applies::ToEach,
        "definitions" | "$defs" => Applies::Nowhere,
        _ => return None,
    })
}

/// What a schema that is within its bounds costs for a record, in steps.
///
/// # Errors
///
/// Which bound it passes, as text.
pub(super) fn cost(schema: &Json) -> Result<u64, String> {
    if is_deeper(schema, SCHEMA_DEPTH) {
        return Err(format!("it is nested more than {SCHEMA_DEPTH} deep"));
    }
    let bytes = schema.to_string().len();
    if bytes > SCHEMA_BYTES {
        return Err(format!("it has {bytes} bytes, and at most {SCHEMA_BYTES} are taken"));
    }
    let found = Found::of(schema);
    if found.patterns.len() > SCHEMA_PATTERNS {
        let count = found.patterns.len();
        return Err(format!("it has {count} different patterns, and at most {SCHEMA_PATTERNS} are taken"));
    }
    if found.refers && found.inner_names {
        return Err("a schema with $ref can have an $id only at its top".to_owned());
    }
    let mut steps = Steps { root: schema, anchors: found.anchors, known: HashMap::new(), active: Vec::new() };
    let cost = steps.of(schema, 0)?;
    if cost > SCHEMA_STEPS as u64 {
        return Err(format!(
            "it takes {cost} steps to check a record, with everything that its $refs repeat, and at most \
             {SCHEMA_STEPS} are taken"
        ));
    }
    Ok(cost)
}

/// Whether lists and objects are nested deeper than so much.
pub(crate) fn is_deeper(json: &Json, most: usize) -> bool {
    let mut left = vec![(json, 0)];
    while let Some((json, depth)) = left.pop() {
        let depth = depth + 1;
        if depth > most && (json.is_array() || json.is_object()) {
            return true;
        }
        match json {
            Json::Array(items) => left.extend(items.iter().map(|item| (item, depth))),
            Json::Object(members) => left.extend(members.values().map(|member| (member, depth))),
            _ => {}
        }
    }
    false
}

/// What is found in a schema wherever it is.
#[derive(Default)]
struct Found<'a> {
    patterns: HashSet<&'a str>,
    anchors: HashMap<&'a str, &'a Json>,
    refers: bool,
    /// Whether a schema in it has a name of its own, from which its references start.
    inner_names: bool,
}

impl<'a> Found<'a> {
    fn of(schema: &'a Json) -> Self {
        let mut found = Self::default();
        let mut left = vec![(schema, true)];
        while let Some((json, is_top)) = left.pop() {
            match json {
                Json::Array(items) => left.extend(items.iter().map(|item| (item, false))),
                Json::Object(members) => {
                    found.look_at(json, members, is_top);
                    left.extend(members.values().map(|member| (member, false)));
                }
                _ => {}
            }
        }
        found
    }

    fn look_at(&mut self, schema: &'a Json, members: &'a Map<String, Json>, is_top: bool) {
        let text = |keyword: &str| members.get(keyword).and_then(Json::as_str);
        self.patterns.extend(text("pattern"));
        if let Some(Json::Object(by_pattern)) = members.get("patternProperties") {
            self.patterns.extend(by_pattern.keys().map(String::as_str));
        }
        self.refers |= references(members).next().is_some();
        for anchor in ["$anchor", "$dynamicAnchor"].into_iter().filter_map(text) {
            self.anchors.insert(anchor, schema);
        }
        for id in ["$id", "id"].into_iter().filter_map(text) {
            // In older drafts that was how an anchor was written.
            match id.strip_prefix('#') {
                Some(anchor) => drop(self.anchors.insert(anchor, schema)),
                None => self.inner_names |= !is_top,
            }
        }
    }
}

fn references(members: &Map<String, Json>) -> impl Iterator<Item = &str> {
    let keywords = ["$ref", "$dynamicRef", "$recursiveRef"];
    keywords.into_iter().filter_map(|keyword| members.get(keyword)?.as_str())
}

/// Counts steps.
struct Steps<'a> {
    root: &'a Json,
    anchors: HashMap<&'a str, &'a Json>,
    /// What was counted already, by the place of a schema in memory and the level of the value.
    known: HashMap<(*const Json, u8), u64>,
    /// What is being counted.
    active: Vec<(*const Json, u8)>,
}

impl<'a> Steps<'a> {
    /// The steps of a schema for a value at a level of the record.
    fn of(&mut self, schema: &'a Json, level: u8) -> Result<u64, String> {
        if level == LEVELS {
            return Ok(0);
        }
        let Json::Object(members) = schema else { return Ok(1) };
        let place = (std::ptr::from_ref(schema), level);
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        // What refers to itself for the same value is not followed again by who checks.
        if self.active.contains(&place) {
            return Ok(1);
        }
        if self.active.len() == SCHEMA_DEPTH {
            return Err(format!("its $refs lead more than {SCHEMA_DEPTH} deep"));
        }
        self.active.push(place);
        let mut steps = 1_u64;
        for (keyword, value) in members {
            steps = steps.saturating_add(self.of_keyword(keyword, value, level)?);
        }
        for reference in references(members) {
            let target = self.target(reference)?;
            steps =
                steps.saturating_add(target.map_or(Ok(MEMBERS_OF_A_STEP), |target| self.of(target, level))?);
        }
        self.active.pop();
        self.known.insert(place, steps);
        Ok(steps)
    }

    fn of_keyword(&mut self, keyword: &str, value: &'a Json, level: u8) -> Result<u64, String> {
        let members = value.as_array().map_or(0, Vec::len) as u64 / MEMBERS_OF_A_STEP;
        let (level, times) = match applies(keyword) {
            None => return Ok(members),
            Some(Applies::Nowhere) => return Ok(0),
            Some(Applies::Here) => (level, 1),
            Some(Applies::Inside) => (level + 1, 1),
            // A list of schemas has one for each place.
            Some(Applies::ToEach) if value.is_array() => (level + 1, 1),
            Some(Applies::ToEach) => (level + 1, if level == 0 { FIELDS } else { NESTED_ITEMS as u64 }),
        };
        let by_name =
            matches!(keyword, "properties" | "patternProperties" | "dependentSchemas" | "dependencies");
        let mut steps = 0_u64;
        match value {
            Json::Array(schemas) => {
                for schema in schemas {
                    steps = steps.saturating_add(self.of(schema, level)?);
                }
            }
            Json::Object(schemas) if by_name => {
                for schema in schemas.values() {
                    steps = steps.saturating_add(self.of(schema, level)?);
                }
            }
            schema => steps = self.of(schema, level)?,
        }
        Ok(steps.saturating_mul(times))
    }

    /// What a reference refers to; none if that is a schema of schemas, which is always at hand.
    fn target(&self, reference: &str) -> Result<Option<&'a Json>, String> {
        if reference.starts_with("http://json-schema.org/")
            || reference.starts_with("https://json-schema.org/")
        {
            return Ok(None);
        }
        let unknown = || {
            let shown = beginning(reference);
            format!("\"$ref\": \"{shown}\" refers to nothing in it; nothing is fetched from elsewhere")
        };
        let fragment = reference.strip_prefix('#').ok_or_else(unknown)?;
        let fragment = percent_decode_str(fragment).decode_utf8_lossy();
        if fragment.is_empty() || fragment.starts_with('/') {
            return self.root.pointer(&fragment).map(Some).ok_or_else(unknown);
        }
        self.anchors.get(&*fragment).copied().map(Some).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Json, expected: Result<u64, &str>) {
        match (cost(schema), expected) {
            (Ok(cost), Ok(expected)) => assert_eq!(cost, expected),
            (Err(fault), Err(expected)) => assert!(fault.contains(expected), "{fault}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    fn nested(keyword: &str, depth: usize) -> Json {
        (0..depth).fold(json!({}), |inner, _| json!({keyword: inner}))
    }

    /// A schema that refers twice to one that refers twice to the next, and so on.
    fn doubled(levels: usize, by: &str) -> Json {
        let twice = |level: usize| {
            let target = json!({"$ref": format!("#/definitions/s{}", level + 1)});
            json!({by: [target, target]})
        };
        let mut definitions: Map<String, Json> =
            (0..levels).map(|level| (format!("s{level}"), twice(level))).collect();
        definitions.insert(format!("s{levels}"), json!({"required": ["none"]}));
        json!({"$ref": "#/definitions/s0", "definitions": definitions})
    }

    #[test]
    fn what_schemas_cost() {
        check(&json!({}), Ok(1));
        check(&json!({"properties": {"aa": {"type": "integer"}, "bb": true}}), Ok(3));
        check(&json!({"allOf": [{}, {"not": {}}]}), Ok(4));
        check(&json!({"additionalProperties": false}), Ok(101));
        check(&json!({"properties": {"aa": {"items": [{}, {}]}}}), Ok(4));
        check(&json!({"properties": {"aa": {"enum": vec![1; 80]}}}), Ok(12));
        check(
            &json!({"properties": {"id": {"type": "string"}, "enum": {"$ref": "#/definitions/aa"}},
            "definitions": {"aa": {"pattern": "x"}}}),
            Ok(4),
        );
        check(&json!({"$ref": "http://json-schema.org/draft-07/schema#"}), Ok(9));
        check(&json!({"$defs": {"aa": {"$anchor": "here"}}, "$ref": "#here"}), Ok(2));
        check(&doubled(1, "allOf"), Ok(6));
    }

    #[test]
    fn schemas_that_refer_to_themselves() {
        check(&json!({"$ref": "#"}), Ok(2));
        check(&json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}), Ok(5));
        check(&json!({"additionalProperties": {"$ref": "#"}}), Err("steps to check a record"));
        let tree = json!({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}});
        check(&tree, Ok(29));
    }

    #[test]
    fn schemas_that_are_too_much() {
        check(&nested("not", 63), Ok(64));
        check(&nested("not", 64), Err("nested more than 64 deep"));
        check(&nested("unknown", 64), Err("nested more than 64 deep"));
        check(&json!({"enum": [nested("aa", 100)]}), Err("nested more than 64 deep"));
        for by in ["allOf", "anyOf", "oneOf"] {
            check(&doubled(18, by), Err("steps to check a record"));
            check(&doubled(60, by), Err("deep"));
        }
        let chain: Map<String, Json> = (0..5000)
            .map(|link| (format!("{link}"), json!({"$ref": format!("#/definitions/{}", link + 1)})))
            .chain([("5000".to_owned(), json!({}))])
            .collect();
        check(&json!({"$ref": "#/definitions/0", "definitions": chain}), Err("lead more than 64 deep"));
        check(&json!({"enum": ["x".repeat(300_000)]}), Err("300013 bytes"));
        let patterns: Vec<_> = (0..201).map(|number| json!({"pattern": format!("{number}")})).collect();
        check(&json!({"properties": {"aa": {"anyOf": patterns}}}), Err("201 different patterns"));
        check(&json!({"additionalProperties": {"allOf": vec![false; 300]}}), Err("steps"));
    }

    #[test]
    fn references_that_lead_nowhere() {
        for reference in
            ["https://example.com/a.json", "file:///etc/hostname", "other.json", "#/nothing", "#none"]
        {
            check(&json!({"$ref": reference}), Err("refers to nothing in it"));
        }
        check(
            &json!({"$ref": "#/aa", "aa": {"$id": "http://example.com/", "definitions": {}}}),
            Err("$id only at its top"),
        );
    }
}
