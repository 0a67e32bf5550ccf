//! Progress of long computations: a bar on a terminal, a line that changes in a notebook, a line now and then anywhere else.
//!
//! A log file should not fill with carriage returns, and a notebook does not understand them: there the state of the same
//! indicatif bar is printed when it starts, at every tenth, at most every few seconds in between, and when it ends. In this project's
//! notebooks `notebooks/lab/relay.py` makes the lines of a bar one display that is updated, and sets `OVERPARAM_DISPLAYS` to say so.

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The least time between two lines that are not at a tenth.
const PACE: Duration = Duration::from_secs(5);
/// The least time between any two lines but the last.
const PAUSE: Duration = Duration::from_secs(1);

/// The largest number of times per second that a changing line is drawn.
const HERTZ: u8 = 4;

/// Set where lines that start with [`DISPLAY`] and the name of a display become what that display shows.
const DISPLAYS: &str = "OVERPARAM_DISPLAYS";
/// An escape sequence that no terminal knows. The name follows, and after a blank the text.
const DISPLAY: &str = "\u{1b}]overparam-display ";

/// Set by the kernel evcxr in the process that runs the cells of a notebook.
const NOTEBOOK: &str = "EVCXR_IS_RUNTIME";

/// A bar over `total` steps on standard error. Messages set on it say what runs now.
pub fn bar(total: u64) -> ProgressBar {
    let (target, template) = if io::stderr().is_terminal() {
        (ProgressDrawTarget::stderr(), "{bar:30.green/dim} {pos}/{len} runs{left}  {wide_msg:.dim}")
    } else {
        let displays = in_notebook() && std::env::var_os(DISPLAYS).is_some();
        let (lines, hertz) = if displays { (Lines::of_display(), HERTZ) } else { (Lines::default(), 20) };
        (
            ProgressDrawTarget::term_like_with_hz(Box::new(lines), hertz),
            "{percent}% {pos}/{len} runs{rate}, {elapsed} elapsed{left}  {msg}",
        )
    };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let style = ProgressStyle::with_template(template).expect("the templates above are well formed");
    // A line that cannot be formatted is left short. Before the first run there is neither a rate nor a time left.
    let rate = |state: &ProgressState, text: &mut dyn fmt::Write| {
        if state.per_sec() > 0.0 {
            let _ = write!(text, ", {:.1} a second", state.per_sec());
        }
    };
    let left = |state: &ProgressState, text: &mut dyn fmt::Write| {
        if state.per_sec() > 0.0 && !state.is_finished() {
            let _ = write!(text, ", {:#} left", HumanDuration(state.eta()));
        }
    };
    bar.set_style(style.with_key("rate", rate).with_key("left", left));
    bar
}

/// A terminal that only ever appends lines.
#[derive(Debug, Default)]
struct Lines(Mutex<State>);

impl Lines {
    /// One whose lines replace one another.
    fn of_display() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("overparam-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self(Mutex::new(State { display: Some(name), ..State::default() }))
    }
}

#[derive(Debug, Default)]
struct State {
    drawn: String,
    printed: Option<(Instant, u32)>,
    /// The name of the display that the lines are for.
    display: Option<String>,
}

impl State {
    /// The line to print now, if any: `drawn` starts with the percentage done.
    fn take_line(&mut self, now: Instant) -> Option<String> {
        let drawn = std::mem::take(&mut self.drawn);
        let line = drawn.trim();
        if let Some(display) = &self.display {
            return (!line.is_empty()).then(|| format!("{DISPLAY}{display} {line}"));
        }
        let tenth = line.split('%').next()?.parse::<u32>().ok()? / 10;
        let due = match self.printed {
            None => true,
            Some((_, 10)) => false,
            Some((at, printed)) => {
                let since = now.duration_since(at);
                tenth == 10 || since >= PACE || (tenth > printed && since >= PAUSE)
            }
        };
        due.then(|| {
            self.printed = Some((now, tenth));
            line.to_owned()
        })
    }
}

impl TermLike for Lines {
    fn width(&self) -> u16 {
        120
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.write_str(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if let Ok(mut state) = self.0.lock() {
            state.drawn.push_str(text);
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        if let Ok(mut state) = self.0.lock() {
            state.drawn.clear();
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let line = self.0.lock().ok().and_then(|mut state| state.take_line(Instant::now()));
        line.map_or(Ok(()), |line| say(&line))
    }
}

/// Prints a line about the progress: on standard error, or on standard output in a notebook, which shows the other as an
/// error.
pub(crate) fn say(line: &str) -> io::Result<()> {
    if in_notebook() { writeln!(io::stdout(), "{line}") } else { writeln!(io::stderr(), "{line}") }
}

/// True in the process that runs the cells of a notebook.
pub(crate) fn in_notebook() -> bool {
    std::env::var_os(NOTEBOOK).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_display_says_which() {
        let lines = Lines::of_display();
        let mut state = lines.0.lock().unwrap();
        let now = Instant::now();
        for line in ["1% a", "1% b"] {
            state.drawn = format!(" {line} ");
            let printed = state.take_line(now).unwrap();
            let (name, text) = printed.strip_prefix(DISPLAY).unwrap().split_once(' ').unwrap();
            assert!(name.starts_with("overparam-") && text == line, "{printed:?}");
        }
        assert_eq!(state.take_line(now), None);
        assert_ne!(state.display, Lines::of_display().0.into_inner().unwrap().display);
    }

    #[test]
    fn prints_the_start_the_tenths_the_end_and_little_else() {
        let mut state = State::default();
        let start = Instant::now();
        let mut printed = Vec::new();
        for percent in 0..=100 {
            // One percent a second: a line every five seconds at most, and one at every tenth.
            for repeat in 0..3 {
                state.drawn = format!("{percent}% some text");
                let now = start + Duration::from_millis(1000 * percent + 100 * repeat);
                printed.extend(state.take_line(now));
            }
        }
        let expected: Vec<String> = (0..=20).map(|line| format!("{}% some text", 5 * line)).collect();
        assert_eq!(printed, expected);
    }
}
