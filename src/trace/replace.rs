//! Files of earlier results, and whether new ones may take their place.

use super::file::{self, DEVICE, OUTCOME, Provenance, SETTINGS};
use crate::descent::Outcome;
use crate::error::{Error, excerpt};
use crate::objective::Function;
use crate::output::Output;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

/// Settings of which more give more: a file of as many or fewer may be replaced.
const SIZES: [&str; 5] = ["seeds", "glass_seeds", "iterations", "glass_iterations", "seconds"];

/// Settings that are lists, whose order does not matter.
const LISTS: [&str; 5] = ["rates", "seeds", "optimizers", "asked", "store"];

/// Settings that change no result.
const IDLE: [&str; 1] = ["batched"];

/// Makes sure that no result is lost when those of `provenance` are written to `output`: there is no file, it is none of this program, or its
/// results are of the same settings, or of smaller ones that have fewer seeds, rates, optimizers, iterations or seconds. If the number of the new `rows`
/// is known, the file has no more of them; otherwise a part does not take the place of the whole. Only the end of the file is read.
///
/// # Errors
/// If a result would be lost.
pub fn ensure_replaces(output: &Output, provenance: &Provenance, rows: Option<usize>) -> Result<(), Error> {
    let path = output.path();
    let Some(found) = found(path)? else { return Ok(()) };
    let refused = |what: String| Err(others(path, &what));
    let device = found.get(DEVICE).map_or("an unknown device", |device| device);
    if device != provenance.backend.describe() {
        return refused(format!("computed on {}", excerpt(device)));
    }
    if let Some(what) = lost(&used(settings(&found[SETTINGS])), &used(settings(&provenance.settings)), "settings") {
        return refused(what);
    }
    if let Some(rows) = rows
        && let Ok(before) = file::rows(path)
    {
        return if before > rows { refused(format!("{before} rows, not {rows}")) } else { Ok(()) };
    }
    let whole = found.get(OUTCOME).is_none_or(|outcome| outcome != Outcome::Stopped.name());
    if whole && provenance.outcome == Outcome::Stopped {
        return refused("all runs, not a part of them".to_owned());
    }
    Ok(())
}

/// Makes sure that no table but one of the same [name](Provenance::of_table) is replaced when that of `provenance` is written to `output`.
///
/// # Errors
/// If the file has another table of this program.
pub fn ensure_same_table(output: &Output, provenance: &Provenance) -> Result<(), Error> {
    let path = output.path();
    let Some(found) = found(path)? else { return Ok(()) };
    let [before, now] = [&found[SETTINGS], &provenance.settings].map(|text| settings(text)["table"].clone());
    lost(&before, &now, "table").map_or(Ok(()), |what| Err(others(path, &what)))
}

/// The metadata of the result in the file `path`, if there is one.
fn found(path: &Path) -> Result<Option<BTreeMap<String, String>>, Error> {
    match file::metadata(path) {
        // What is no Parquet is no result.
        Err(_) if !file::is_parquet(path) => Ok(None),
        found => Ok(Some(found?).filter(|found| found.contains_key(SETTINGS))),
    }
}

fn settings(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn others(path: &Path, what: &str) -> Error {
    let problem = format!(
        "expected a file that the new results can replace, and this one has others ({what}): write to another file, or remove this one"
    );
    Error::Data { path: path.to_owned(), problem }
}

/// `settings` without those of their protocol that are of other functions than theirs: the spin glass has seeds and iterations of its own.
fn used(mut settings: Value) -> Value {
    let is_glass = settings["function"] == Function::SpinGlass.name();
    if let Some(Value::Object(protocol)) = settings.get_mut("protocol") {
        for name in if is_glass { ["seeds", "iterations"] } else { ["glass_seeds", "glass_iterations"] } {
            protocol.remove(name);
        }
    }
    settings
}

/// The difference, in words for the user, if replacing results whose setting `name` is `before` by results whose setting is `now` loses any.
fn lost(before: &Value, now: &Value, name: &str) -> Option<String> {
    match (before, now) {
        _ if before == now || IDLE.contains(&name) => None,
        // Every iteration, and log-spaced ones.
        (Value::Bool(true), Value::Bool(false)) if name == "thinned" => None,
        (Value::Number(fewer), Value::Number(more)) if SIZES.contains(&name) && fewer.as_f64() <= more.as_f64() => None,
        (Value::Object(fields), Value::Object(others)) => {
            let names: BTreeSet<&String> = fields.keys().chain(others.keys()).collect();
            names.into_iter().find_map(|name| {
                let [before, now] = [fields, others].map(|of| of.get(name).unwrap_or(&Value::Null));
                lost(before, now, name)
            })
        }
        (Value::Array(before), Value::Array(now)) if LISTS.contains(&name) => {
            let there: HashSet<String> = now.iter().map(Value::to_string).collect();
            let covered = |one: &&Value| {
                there.contains(&one.to_string())
                    || one.is_object() && now.iter().any(|other| lost(one, other, name).is_none())
            };
            let gone: Vec<String> = before.iter().filter(|one| !covered(one)).map(text).collect();
            (!gone.is_empty()).then(|| format!("{name} {}", excerpt(&gone.join(", "))))
        }
        _ => Some(format!("{name} {}, not {}", text(before), text(now))),
    }
}

/// A setting as an error shows it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => excerpt(text),
        other => excerpt(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_the_same_larger_or_others() {
        let before = json!({ "function": "levy", "optimizers": ["shallow"], "batched": false, "target": null,
            "protocol": { "rates": [1.0, 0.1], "seeds": 5, "iterations": 100 } });
        let with = |path: &str, value: Value| {
            let mut now = before.clone();
            *now.pointer_mut(path).unwrap() = value;
            lost(&before, &now, "settings")
        };
        for (path, value) in [
            ("/target", json!(null)),
            ("/batched", json!(true)),
            ("/optimizers", json!(["deep", "shallow"])),
            ("/protocol/rates", json!([0.1, 1.0, 0.01])),
            ("/protocol/seeds", json!(6)),
            ("/protocol/iterations", json!(100)),
        ] {
            assert_eq!(with(path, value), None, "{path}");
        }
        for (path, value, expected) in [
            ("/function", json!("ackley"), "function levy, not ackley"),
            ("/target", json!(0.5), "target none, not 0.5"),
            ("/optimizers", json!(["deep"]), "optimizers shallow"),
            ("/protocol/rates", json!([1.0, 0.01]), "rates 0.1"),
            ("/protocol/seeds", json!(4), "seeds 5, not 4"),
            ("/protocol", json!({ "rates": [1.0, 0.1], "seeds": 5 }), "iterations 100, not none"),
        ] {
            assert_eq!(with(path, value).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn settings_of_other_functions_do_not_count() {
        let of = |function: &str, seeds: u64, glass_seeds: u64| {
            used(json!({ "function": function, "protocol": { "seeds": seeds, "glass_seeds": glass_seeds } }))
        };
        assert_eq!(lost(&of("levy", 5, 5), &of("levy", 10, 3), "settings"), None);
        assert!(lost(&of("levy", 5, 3), &of("levy", 4, 5), "settings").is_some());
        let glass = Function::SpinGlass.name();
        assert_eq!(lost(&of(glass, 5, 3), &of(glass, 4, 3), "settings"), None);
        assert!(lost(&of(glass, 4, 3), &of(glass, 5, 2), "settings").is_some());
    }

    #[test]
    fn a_store_that_has_grown_has_what_it_had() {
        let asked = |seeds: &[u64]| json!({ "rates": [1.0], "seeds": seeds });
        let of = |name: &str, asked: Vec<Value>| json!({ "subject": { "objective": name }, "asked": asked });
        let small = json!({ "store": [of("levy", vec![asked(&[0, 1])])] });
        let grown =
            json!({ "store": [of("ackley", vec![asked(&[0])]), of("levy", vec![asked(&[0]), asked(&[0, 1, 2])])] });
        assert_eq!(lost(&small, &grown, "settings"), None);
        assert!(lost(&grown, &small, "settings").is_some_and(|what| what.starts_with("store ")));
    }
}
