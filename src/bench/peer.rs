//! Programs to compare with: long-lived processes that answer a line of JSON with a line of JSON.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// One descent for a peer to time; the fields are those of `Request` in `benches/peers/protocol.py`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Request<'a> {
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
    pub hidden: usize,
    pub layers: usize,
}

/// F = (raw - offset) / width.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Scale {
    pub offset: f64,
    pub width: f64,
}

/// What a peer found. A number that is not finite is absent.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Reply {
    /// One a repeat.
    pub us_per_iteration: Vec<f64>,
    pub best: Option<f64>,
    pub min_last: Option<f64>,
    pub mean_last: Option<f64>,
    pub peak_memory_bytes: u64,
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Error { error: String },
    Reply(Reply),
}

/// A running peer. It ends when it is dropped.
pub struct Peer {
    name: String,
    process: Child,
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `command`: a program and its arguments, separated by blanks.
    ///
    /// # Errors
    /// If there is no such program.
    pub fn start(name: &str, command: &str) -> Result<Self, Error> {
        let mut words = command.split_whitespace();
        let program = words.next().ok_or_else(|| Error::peer(name, "its command is empty"))?;
        let mut process = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::peer(name, format!("cannot start {program}: {error}")))?;
        let (requests, replies) = (process.stdin.take(), process.stdout.take());
        let replies = BufReader::new(replies.expect("the output was asked for as a pipe"));
        Ok(Self { name: name.to_owned(), process, requests, replies })
    }

    /// Sends `request` and waits for its answer.
    pub(super) fn ask(&mut self, request: &Request<'_>) -> Result<Reply, Error> {
        let failed = |error: std::io::Error| Error::peer(&self.name, format!("it no longer listens ({error})"));
        let line = serde_json::to_string(request).expect("a request is made of names and numbers");
        let requests = self.requests.as_mut().expect("a peer is asked before it is dropped");
        writeln!(requests, "{line}").and_then(|()| requests.flush()).map_err(failed)?;
        let mut answer = String::new();
        self.replies.read_line(&mut answer).map_err(failed)?;
        parse(&self.name, &answer)
    }
}

fn parse(name: &str, answer: &str) -> Result<Reply, Error> {
    if answer.is_empty() {
        return Err(Error::peer(name, "it ended without an answer; what it printed is above"));
    }
    match serde_json::from_str(answer) {
        Ok(Line::Reply(reply)) if !reply.us_per_iteration.is_empty() => Ok(reply),
        Ok(Line::Reply(_)) => Err(Error::peer(name, "expected a time for every repeat, got none")),
        Ok(Line::Error { error }) => Err(Error::peer(name, error)),
        Err(_) => Err(Error::peer(name, format!("expected a reply in JSON, got {}", answer.trim()))),
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input ends a peer.
        drop(self.requests.take());
        // Nobody is left to hear of a failure.
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str = r#"{"us_per_iteration": [2.5, 2.0], "compile_seconds": 0.1, "best": 0.25, "min_last": null,
        "mean_last": 0.5, "step_size_last": 0.01, "peak_memory_bytes": 1024, "versions": {"jax": "1.2.3"}}"#;

    #[test]
    fn replies_are_read_with_what_is_not_finite_absent() {
        let reply = parse("a peer", REPLY).unwrap();
        assert_eq!(reply.us_per_iteration, [2.5, 2.0]);
        assert_eq!((reply.best, reply.min_last, reply.mean_last), (Some(0.25), None, Some(0.5)));
        assert_eq!(reply.peak_memory_bytes, 1024);
        assert_eq!(reply.versions["jax"], "1.2.3");
    }

    #[test]
    fn what_is_no_reply_is_an_error_that_names_the_peer() {
        let cases = [
            (r#"{"error": "ValueError: no such optimizer"}"#, "a peer: ValueError: no such optimizer"),
            ("warming up", "a peer: expected a reply in JSON, got warming up"),
            ("", "a peer: it ended without an answer; what it printed is above"),
            (&REPLY.replace("2.5, 2.0", ""), "a peer: expected a time for every repeat, got none"),
        ];
        for (answer, expected) in cases {
            assert_eq!(parse("a peer", answer).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_command_that_does_not_exist_is_an_error() {
        let error = Peer::start("a peer", "no-such-program-here --threads 1").err().unwrap().to_string();
        assert!(error.starts_with("a peer: cannot start no-such-program-here"), "{error}");
        assert!(Peer::start("a peer", " ").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_peer_that_ends_is_an_error() {
        let mut peer = Peer::start("a peer", "true").unwrap();
        let request = Request {
            function: "sphere",
            optimizer: "shallow",
            dtype: "f64",
            iterations: 1,
            repeats: 1,
            learning_rate: 0.1,
            start: Path::new("start.bin"),
            couplings: None,
            scale: Scale { offset: 0.0, width: 1.0 },
            n: 1,
            d: 1,
            k: 1,
            hidden: 1,
            layers: 1,
        };
        assert!(matches!(peer.ask(&request), Err(Error::Peer { .. })));
    }
}
