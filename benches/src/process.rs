//! A process that answers lines with lines and is not trusted: its lines are bounded, waiting for them ends, and nothing
//! that it started outlives it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The longest line that a process may write, in bytes.
const LONGEST_LINE: u64 = 1 << 16;

/// The longest text that is quoted from a process, in characters.
const LONGEST_QUOTE: usize = 300;

/// Bytes of a process's last standard error that are remembered.
const REMEMBERED: usize = 1 << 12;

/// Time for a process to end by itself once its input is closed, and to hand over what it wrote last.
const GRACE: Duration = Duration::from_secs(2);

/// Leads the process group, and kills it when its input is closed: whoever holds the other end has dropped it or is dead.
const GUARD: &str = "read -r _; kill -KILL 0";

/// A running process with a process group of its own, which is killed when this is dropped and when this program dies.
pub struct Process {
    guard: Child,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Line>,
    errors: Arc<Mutex<Vec<u8>>>,
    /// Disconnected once standard error is closed.
    errors_open: Receiver<()>,
}

/// A line of output, or none because it was too long.
type Line = Option<String>;

impl Process {
    /// Starts `command`, a command line for the shell.
    pub fn start(command: &str) -> io::Result<Self> {
        let mut shell = shell(GUARD, 0);
        let guard = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut shell = self::shell(command, guard.id() as i32);
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // One line waits here, and one in the thread: a process that writes without being asked is held up.
        let (sender, lines) = sync_channel(1);
        let errors = Arc::default();
        let (open, errors_open) = sync_channel(0);
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || read_lines(output, &sender));
        }
        if let Some(output) = child.stderr.take() {
            let errors = Arc::clone(&errors);
            thread::spawn(move || {
                remember(output, &errors);
                drop(open);
            });
        }
        Ok(Self { guard, input: child.stdin.take(), child, lines, errors, errors_open })
    }

    /// Sends `line`, and waits at most `limit` for a line in return. An error is the problem in words.
    pub fn ask(&mut self, line: &str, limit: Duration) -> Result<String, String> {
        match self.lines.try_recv() {
            Ok(early) => return Err(format!("it wrote without being asked: {}", in_words(early)?)),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err(self.end()),
        }
        let sent = self.input.as_mut().map(|input| writeln!(input, "{line}").and_then(|()| input.flush()));
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.end());
        }
        match self.lines.recv_timeout(limit) {
            Ok(line) => line.ok_or_else(too_long),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("it did not answer within {} s{}", limit.as_secs_f64(), self.last_error()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.end()),
        }
    }

    /// The status with which it ended.
    fn end(&mut self) -> String {
        let status = self.wait(GRACE).map_or("it closed its output".to_owned(), |status| format!("{status}"));
        let _ = self.errors_open.recv_timeout(GRACE);
        format!("it ended without an answer ({status}){}", self.last_error())
    }

    /// The last line of what it wrote to standard error, if it wrote anything.
    fn last_error(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&errors);
        let last = text.lines().rfind(|line| !line.trim().is_empty());
        last.map_or(String::new(), |line| format!("; its last message: {}", quote(line)))
    }

    /// Waits for the end of the process, at most for `limit`.
    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let clock = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(None) if clock.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
                found => return found.ok().flatten(),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        self.wait(GRACE);
        drop(self.guard.stdin.take());
        // Nobody is left to hear of a failure. The guard kills the child too; this is for the case that the guard is gone.
        let _ = self.guard.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shell that runs `command` in a process group; 0 is a new one.
fn shell(command: &str, group: i32) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut shell, group);
    #[cfg(not(unix))]
    let _ = group;
    shell
}

/// Passes lines on until the end, an error, or a line that is too long.
fn read_lines(output: impl Read, lines: &SyncSender<Line>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        let read = output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let too_long = line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n");
        if read.is_err() || line.is_empty() {
            return;
        }
        let line = (!too_long).then(|| String::from_utf8_lossy(&line).into_owned());
        if lines.send(line).is_err() || too_long {
            return;
        }
    }
}

/// Reads to the end and keeps the last [`REMEMBERED`] bytes.
fn remember(mut output: impl Read, errors: &Mutex<Vec<u8>>) {
    let mut chunk = [0; REMEMBERED];
    while let Ok(read @ 1..) = output.read(&mut chunk) {
        let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.extend_from_slice(&chunk[..read]);
        let excess = errors.len().saturating_sub(REMEMBERED);
        errors.drain(..excess);
    }
}

fn in_words(line: Line) -> Result<String, String> {
    line.map(|line| quote(&line)).ok_or_else(too_long)
}

fn too_long() -> String {
    format!("it wrote more than {LONGEST_LINE} bytes without the end of a line")
}

/// `text` on one line that is safe to print: control characters are escaped, and what exceeds 300 characters is left out.
pub fn quote(text: &str) -> String {
    let mut quoted = String::new();
    for (index, character) in text.trim().chars().enumerate() {
        match character {
            _ if index == LONGEST_QUOTE => return quoted + " [...]",
            '"' | '\'' | '\\' => quoted.push(character),
            _ => quoted.extend(character.escape_debug()),
        }
    }
    quoted
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(60);

    fn problem(command: &str, limit: Duration) -> String {
        Process::start(command).unwrap().ask("question", limit).unwrap_err()
    }

    /// Waits until `message` has come from the process.
    fn wait_for_errors(process: &Process, message: &str) {
        let clock = Instant::now();
        while !String::from_utf8_lossy(&process.errors.lock().unwrap()).contains(message) {
            assert!(clock.elapsed() < SOON, "{message} has not come");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn a_line_is_answered_by_a_line() {
        let mut echo = Process::start("while read -r line; do echo \"re: $line\"; done").unwrap();
        for question in ["one", "two"] {
            assert_eq!(echo.ask(question, SOON).unwrap(), format!("re: {question}\n"));
        }
    }

    #[test]
    fn the_command_is_a_line_for_the_shell() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("a program.sh");
        std::fs::write(&program, "read -r line; echo \"$1, $line\"").unwrap();
        let mut process = Process::start(&format!("sh '{}' 'two words'", program.display())).unwrap();
        assert_eq!(process.ask("hello", SOON).unwrap(), "two words, hello\n");
    }

    #[test]
    fn output_without_end_is_refused() {
        let clock = Instant::now();
        let problem = |command| problem(command, SOON);
        assert_eq!(
            problem("read -r _; tr '\\0' x </dev/zero"),
            "it wrote more than 65536 bytes without the end of a line"
        );
        let mut lines = Process::start("yes").unwrap();
        // Unless it is asked before its first line is there, when that line is taken for the answer.
        if let Err(problem) = lines.ask("question", SOON) {
            assert_eq!(problem, "it wrote without being asked: y");
        }
        assert!(clock.elapsed() < SOON, "{:?}", clock.elapsed());
    }

    #[test]
    fn lines_of_the_longest_length_are_read_whole() {
        let line = |length: usize| format!("read -r _; head -c {length} /dev/zero | tr '\\0' x; echo");
        let longest = LONGEST_LINE as usize - 1;
        let answer = Process::start(&line(longest)).unwrap().ask("question", SOON).unwrap();
        assert_eq!(answer, "x".repeat(longest) + "\n");
        assert!(problem(&line(longest + 1), SOON).starts_with("it wrote more than"));
    }

    #[test]
    fn silence_ends_the_wait() {
        let clock = Instant::now();
        let mut process = Process::start("echo thinking >&2; sleep 600").unwrap();
        wait_for_errors(&process, "thinking");
        let problem = process.ask("question", Duration::from_millis(300)).unwrap_err();
        assert_eq!(problem, "it did not answer within 0.3 s; its last message: thinking");
        assert!(clock.elapsed() < Duration::from_secs(30), "{:?}", clock.elapsed());
    }

    #[test]
    fn endless_errors_do_not_hold_up_an_answer() {
        let mut process =
            Process::start("read -r _; yes error | head -c 3000000 >&2; echo answer; yes error >&2").unwrap();
        assert_eq!(process.ask("question", SOON).unwrap(), "answer\n");
        wait_for_errors(&process, "error");
        let problem = process.ask("again", Duration::from_millis(100)).unwrap_err();
        assert!(problem.starts_with("it did not answer within 0.1 s; its last message: "), "{problem}");
        assert!(process.errors.lock().unwrap().len() <= REMEMBERED);
    }

    #[test]
    fn the_end_of_a_process_is_reported_with_its_last_message() {
        let expected = "it ended without an answer (exit status: 3); its last message: no module named jax";
        assert_eq!(problem("read -r _; echo trace >&2; echo no module named jax >&2; exit 3", SOON), expected);
        assert_eq!(problem("exit 0", SOON), "it ended without an answer (exit status: 0)");
        let missing = problem("no-such-program-here --threads 1", SOON);
        assert!(missing.contains("exit status: 127") && missing.contains("no-such-program-here"), "{missing}");
        let killed = problem("kill -KILL $$", SOON);
        assert!(killed.contains("signal: 9"), "{killed}");
    }

    /// True if a process has ended, whether or not its status was collected.
    fn is_dead(id: &str) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{id}/stat"));
        status.is_err() || status.is_ok_and(|status| status.contains(") Z "))
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_that_was_started_outlives_it() {
        // The shell ignores the end of its input, and has a child that does so, too.
        let script = "trap '' HUP TERM INT; sleep 600 & read -r _; echo $$ $!; sleep 600; sleep 600";
        let mut process = Process::start(script).unwrap();
        let ids = process.ask("question", SOON).unwrap();
        let ids: Vec<&str> = ids.split_whitespace().collect();
        assert!(ids.len() == 2 && !ids.iter().any(|id| is_dead(id)), "{ids:?}");
        drop(process);
        let clock = Instant::now();
        while !ids.iter().all(|id| is_dead(id)) {
            assert!(clock.elapsed() < Duration::from_secs(10), "{ids:?} are alive");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn quotes_are_short_and_safe_to_print() {
        assert_eq!(quote(" it's \"fine\" \\ é \n"), "it's \"fine\" \\ é");
        assert_eq!(quote("a\x1b[2J\r\nb\u{202e}c\0\u{9b}"), "a\\u{1b}[2J\\r\\nb\\u{202e}c\\0\\u{9b}");
        assert_eq!(quote(&"x".repeat(300)), "x".repeat(300));
        assert_eq!(quote(&"é".repeat(10_000_000)), "é".repeat(300) + " [...]");
    }
}
