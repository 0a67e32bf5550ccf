//! Programs to compare with: long-lived processes that answer a line of JSON with a line of JSON.

use crate::process::{Process, quote};
use anyhow::{Result, anyhow, bail};
use overparam::prelude::{Rule, Widths};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// One descent for a peer to time; the fields are those of `Request` in `benches/peers/protocol.py`.
#[derive(Clone, Debug, Serialize)]
pub struct Request<'a> {
    pub function: &'a str,
    pub optimizer: &'a str,
    pub dtype: &'a str,
    pub iterations: u64,
    pub repeats: usize,
    pub learning_rate: f64,
    pub start: &'a Path,
    pub couplings: Option<&'a Path>,
    pub scale: Scale,
    pub n: usize,
    pub d: usize,
    pub k: usize,
    pub widths: Widths,
    pub rule: Rule,
}

/// F = (raw - offset) / width.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Scale {
    pub offset: f64,
    pub width: f64,
}

/// The answer of a peer. A number that is not finite is absent.
#[derive(Clone, Debug, Deserialize)]
pub struct Reply {
    /// One per repeat.
    pub us_per_iteration: Vec<f64>,
    pub best: Option<f64>,
    pub min_last: Option<f64>,
    pub mean_first: Option<f64>,
    pub mean_last: Option<f64>,
    pub peak_memory_bytes: u64,
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
}

/// A running peer. It ends when it is dropped.
pub struct Peer {
    name: String,
    process: Process,
    limit: Duration,
}

impl Peer {
    /// Starts `command`, a command line for the shell. Every answer has to come within `limit`.
    ///
    /// # Errors
    /// If the command is empty or there is no shell. That there is no such program is found out when it is first asked.
    pub fn start(name: &str, command: &str, limit: Duration) -> Result<Self> {
        if command.trim().is_empty() {
            bail!("{name}: its command is empty");
        }
        let process =
            Process::start(command).map_err(|error| anyhow!("{name}: cannot start {}: {error}", quote(command)))?;
        Ok(Self { name: name.to_owned(), process, limit })
    }

    /// Sends `request` and waits for its answer.
    pub fn ask(&mut self, request: &Request<'_>) -> Result<Reply> {
        let name = &self.name;
        let line = serde_json::to_string(request).map_err(|error| anyhow!("{name}: cannot be asked: {error}"))?;
        let slowest = self.limit.as_secs_f64() / request.iterations as f64 * 1e6;
        let answer = self.process.ask(&line, self.limit);
        answer
            .and_then(|answer| parse(&answer, request.repeats, slowest))
            .map_err(|problem| anyhow!("{name}: {problem}"))
    }
}

/// Reads an answer that has `repeats` times of at most `slowest` microseconds per iteration. An error is the problem in words.
fn parse(answer: &str, repeats: usize, slowest: f64) -> Result<Reply, String> {
    let value: Value =
        serde_json::from_str(answer).map_err(|_| format!("expected a reply in JSON, got {}", quote(answer)))?;
    if let Some(error) = value.get("error") {
        return Err(error.as_str().map_or_else(|| quote(&error.to_string()), quote));
    }
    let reply: Reply = serde_json::from_value(value)
        .map_err(|error| format!("expected a reply ({}), got {}", quote(&error.to_string()), quote(answer)))?;
    let times = &reply.us_per_iteration;
    if times.len() != repeats || !times.iter().all(|&time| time > 0.0 && time <= slowest) {
        return Err(format!(
            "expected {repeats} positive times of at most {slowest:e} microseconds per iteration, got {}",
            quote(&format!("{times:?}"))
        ));
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str = r#"{"us_per_iteration": [2.5, 2.0], "compile_seconds": 0.1, "best": 0.25, "min_last": null,
        "mean_last": 0.5, "step_size_last": 0.01, "peak_memory_bytes": 1024, "versions": {"jax": "1.2.3"}}"#;

    #[test]
    fn replies_are_read_with_what_is_not_finite_absent() {
        let reply = parse(REPLY, 2, 10.0).unwrap();
        assert_eq!(reply.us_per_iteration, [2.5, 2.0]);
        assert_eq!((reply.best, reply.min_last, reply.mean_last), (Some(0.25), None, Some(0.5)));
        assert_eq!(reply.peak_memory_bytes, 1024);
        assert_eq!(reply.versions["jax"], "1.2.3");
    }

    #[test]
    fn an_answer_that_is_no_reply_is_refused() {
        let times = |times: &str| REPLY.replace("2.5, 2.0", times);
        for (answer, expected) in [
            (r#"{"error": "ValueError: no such optimizer"}"#.to_owned(), "ValueError: no such optimizer"),
            (r#"{"error": null}"#.to_owned(), "null"),
            (r#"{"error": "\u001b[2Jtwo\nlines"}"#.to_owned(), "\\u{1b}[2Jtwo\\nlines"),
            ("warming up\n".to_owned(), "expected a reply in JSON, got warming up"),
            ("\x1b]0;title\x07".to_owned(), "expected a reply in JSON, got \\u{1b}]0;title\\u{7}"),
            ("null".to_owned(), "expected a reply (invalid type: null, expected struct Reply), got null"),
            ("{}".to_owned(), "expected a reply (missing field `us_per_iteration`), got {}"),
            (times("NaN, 2.0"), "expected a reply in JSON, got {"),
            (times("null, 2.0"), "expected a reply (invalid type: null, expected f64), got {"),
            (times("1e999, 2.0"), "expected a reply in JSON, got {"),
            (
                times("2.5, -2.0"),
                "expected 2 positive times of at most 1e1 microseconds per iteration, got [2.5, -2.0]",
            ),
            (times("0, 2.0"), "expected 2 positive times of at most 1e1 microseconds per iteration, got [0.0, 2.0]"),
            (
                times("2.5, 1e300"),
                "expected 2 positive times of at most 1e1 microseconds per iteration, got [2.5, 1e300]",
            ),
            (times("2.5"), "expected 2 positive times of at most 1e1 microseconds per iteration, got [2.5]"),
            (times(""), "expected 2 positive times of at most 1e1 microseconds per iteration, got []"),
            (REPLY.replace("1024", "-1"), "expected a reply (invalid value: integer `-1`, expected u64), got {"),
        ] {
            let problem = parse(&answer, 2, 10.0).unwrap_err();
            assert!(problem.starts_with(expected), "{answer}: {problem}");
            assert!(problem.len() < 700 && !problem.contains(char::is_control), "{answer}: {problem}");
        }
        let long = format!(r#"{{"error": "{}"}}"#, "x".repeat(10_000_000));
        assert_eq!(parse(&long, 2, 10.0).unwrap_err().len(), 300 + " [...]".len());
    }

    #[cfg(unix)]
    #[test]
    fn a_problem_names_the_peer() {
        let request = Request {
            function: "sphere",
            optimizer: "shallow",
            dtype: "f64",
            iterations: 1,
            repeats: 2,
            learning_rate: 0.1,
            start: Path::new("start.bin"),
            couplings: None,
            scale: Scale { offset: 0.0, width: 1.0 },
            n: 1,
            d: 1,
            k: 1,
            widths: Widths::of(&[1]),
            rule: Rule::GradientDescent,
        };
        let limit = Duration::from_secs(60);
        let start = |command: &str| Peer::start("a peer", command, limit);
        let error = |command: &str| start(command).and_then(|mut peer| peer.ask(&request)).unwrap_err().to_string();
        assert_eq!(error(" "), "a peer: its command is empty");
        assert_eq!(error("true"), "a peer: it ended without an answer (exit status: 0)");
        assert_eq!(
            error("read -r line; echo \"$line\" | cut -c 1-19"),
            "a peer: expected a reply in JSON, got {\"function\":\"sphere"
        );
        let reply = REPLY.replace('\n', "");
        assert_eq!(
            start(&format!("read -r _; echo '{reply}'")).unwrap().ask(&request).unwrap().us_per_iteration,
            [2.5, 2.0]
        );
    }
}
