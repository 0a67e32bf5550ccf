//! `overparam submit`

use super::sweep::{Asked, SweepCommand};
use super::{settings, signals};
use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use overparam::output::ensure_distinct;
use overparam::store::{Shard, Shelf, Store, Trial};
use overparam::{Error, interrupt, progress, trace};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Have a Slurm cluster make the runs of a command, as an array of tasks that share a store.
///
/// Every task makes its part of the runs: see `overparam sweep --shard`. A task that is stopped, or taken off its node and queued again, goes on with the
/// runs that are missing.
#[derive(Args)]
pub struct Submit {
    #[command(subcommand)]
    what: What,
}

/// The command whose runs are submitted.
#[derive(Subcommand)]
enum What {
    Sweep(SubmitSweep),
}

/// Make every run of a sweep on a Slurm cluster. Takes the options of `overparam sweep`; --store is needed.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
struct SubmitSweep {
    #[command(flatten)]
    sweep: Box<SweepCommand>,
    /// The number of tasks, which is that of the parts that the runs are cut into
    #[arg(long, value_parser = settings::count::<usize>)]
    tasks: usize,
    /// The cores of a task, each of which makes a run at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = settings::count::<usize>)]
    cpus: usize,
    /// The longest time of a task, such as 2:00:00
    #[arg(long)]
    time: Option<String>,
    /// The memory of a task, such as 4G
    #[arg(long)]
    memory: Option<String>,
    /// The partition
    #[arg(long)]
    partition: Option<String>,
    /// The account
    #[arg(long)]
    account: Option<String>,
    /// Any other option of sbatch, such as --sbatch=--constraint=avx512. Repeat it for several
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// Submit these tasks alone, such as 3,7-9
    #[arg(long, value_name = "LIST")]
    only: Option<String>,
    /// Print the batch script, and submit nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait until no task is left, show the progress of all of them, and make the table of the runs in --output, or in summary.parquet in the store, and that of the best points in --points
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
}

/// The options that are not passed on to the tasks: those with a value, and those without.
const WITH_VALUE: [&str; 11] = [
    "--tasks",
    "--cpus",
    "--time",
    "--memory",
    "--partition",
    "--account",
    "--sbatch",
    "--only",
    "--store",
    "--output",
    "--points",
];
const ALONE: [&str; 2] = ["--dry-run", "--wait"];

/// The time between two looks at the queue, and the number of looks that may fail one after the other.
const PAUSE: Duration = Duration::from_secs(2);
const FAILURES: usize = 30;

impl Submit {
    pub fn execute(self) -> Result<()> {
        let What::Sweep(sweep) = self.what;
        sweep.execute()
    }
}

impl SubmitSweep {
    fn execute(self) -> Result<()> {
        let asked = self.sweep.asked()?;
        let Some(folder) = &self.sweep.store else {
            return wrong(
                "--store",
                "given: the folder that the tasks keep their runs in, which every node can reach",
                "left out",
            );
        };
        if self.sweep.shard.is_some() {
            return wrong("--shard", "left out: every task has a part of its own", "given");
        }
        if !(1..=Shard::MOST).contains(&self.tasks) {
            return wrong("--tasks", "a number of tasks from 1 to 1000000", &self.tasks.to_string());
        }
        if !(1..=super::MOST_JOBS).contains(&self.cpus) {
            return wrong("--cpus", "a number of cores from 1 to 1024", &self.cpus.to_string());
        }
        for (name, file) in [("--output", &self.sweep.output), ("--points", &self.sweep.points)] {
            if file.is_some() && !self.wait && !self.dry_run {
                let expected =
                    "given with --wait, which makes the tables, or to overparam gather once the tasks are done";
                return wrong(name, expected, "alone");
            }
        }
        let tasks = match &self.only {
            None => (1..=self.tasks).collect(),
            Some(list) => numbers(list, self.tasks)?,
        };
        let folder = std::path::absolute(folder).with_context(|| format!("cannot find {}", folder.display()))?;
        let script = self.script(&asked, &folder, &tasks)?;
        if self.dry_run {
            super::print(format_args!("{}", script.trim_end()))?;
            return Ok(());
        }
        signals::finish_early()?;
        let output = self.sweep.output.clone().unwrap_or_else(|| folder.join("summary.parquet"));
        let output = if self.wait { Some(trace::prepare(output)?) } else { None };
        let points = self.sweep.points.as_ref().map(trace::prepare).transpose()?;
        ensure_distinct(output.iter().chain(&points))?;
        let store = Store::open(&folder)?;
        let shelf = store.shelf(&asked.experiment)?;
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let job = submit(&script)?;
        say!("submitted the array {job} of {} tasks; their logs are in {}", tasks.len(), logs.display());
        let Some(output) = output else {
            say!("when it is done: overparam gather {} --output FILE", quoted(&folder.display().to_string()));
            return Ok(());
        };
        let parts = Shard::parts(&asked.experiment, self.tasks)?;
        follow(&job, &asked, &shelf, &parts)?;
        let failed: BTreeSet<usize> =
            parts.iter().filter(|(_, trial)| !shelf.has(trial.id)).map(|(part, _)| *part).collect();
        let tables = || -> Result<()> {
            let gathered = store.gather()?;
            gathered.ensure_replaces(Some(&output), points.as_ref(), None)?;
            gathered.write_summary(&output)?;
            say!("{} runs in {}", gathered.len(), output.path().display());
            if let Some(points) = &points {
                gathered.write_points(points)?;
                say!("their best points in {}", points.path().display());
            }
            Ok(())
        };
        let written = tables();
        if failed.is_empty() {
            return written;
        }
        // Which tasks failed is what hours of waiting were for.
        if let Err(error) = written {
            note!("{error}");
        }
        let list = list(&failed);
        bail!(
            "tasks {list} did not finish their runs, see {}; these alone again: {} --tasks {} --only {list} --wait",
            logs.join(format!("{job}-N.log")).display(),
            self.command(&folder),
            self.tasks
        )
    }

    /// The command to submit the same runs again, without its number of tasks.
    fn command(&self, folder: &Path) -> String {
        let Self { cpus, time, memory, partition, account, sbatch, .. } = self;
        let mut words: Vec<String> = ["overparam", "submit"].map(str::to_owned).to_vec();
        words.extend(passed_on(std::env::args().skip(1)));
        words.extend(["--store".to_owned(), folder.display().to_string(), "--cpus".to_owned(), cpus.to_string()]);
        let options = [("--time", time), ("--memory", memory), ("--partition", partition), ("--account", account)];
        words.extend(options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value.clone()?])).flatten());
        words.extend(sbatch.iter().map(|option| format!("--sbatch={option}")));
        let files = [("--output", &self.sweep.output), ("--points", &self.sweep.points)];
        words.extend(
            files
                .into_iter()
                .filter_map(|(name, file)| Some([name.to_owned(), file.as_ref()?.display().to_string()]))
                .flatten(),
        );
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }

    /// The batch script.
    fn script(&self, asked: &Asked, folder: &Path, tasks: &BTreeSet<usize>) -> Result<String> {
        let here = std::env::current_dir().context("cannot find the current folder")?;
        let program = std::env::current_exe().context("cannot find this program")?;
        let text = |path: &Path| -> Result<String> {
            let text = path.to_str().filter(|text| !text.contains(['"', '\n', '%', '\\']));
            let wrong = || {
                anyhow!("{}: expected a path without quotes, percent signs and backslashes, for sbatch", path.display())
            };
            text.map(str::to_owned).ok_or_else(wrong)
        };
        let mut script = String::from("#!/bin/bash\n");
        let mut option = |option: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(script, "#SBATCH {option}");
        };
        option(format!(
            "--job-name=overparam-{}",
            asked.objective.file.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        ));
        option(format!("--array={}", list(tasks)));
        option(format!("--chdir=\"{}\"", text(&here)?));
        option(format!("--output=\"{}/logs/%A-%a.log\"", text(folder)?));
        option("--open-mode=append".to_owned());
        option("--requeue".to_owned());
        option(format!("--cpus-per-task={}", self.cpus));
        let named =
            [("time", &self.time), ("mem", &self.memory), ("partition", &self.partition), ("account", &self.account)];
        for (name, value) in named {
            if let Some(value) = value {
                option(format!("--{name}={}", one_line(value)?));
            }
        }
        for given in &self.sbatch {
            option(one_line(given)?.to_owned());
        }
        let mut words = vec![program.display().to_string()];
        words.extend(passed_on(std::env::args().skip(1)));
        words.extend(["--store".to_owned(), folder.display().to_string()]);
        if self.sweep.jobs.is_none() {
            words.extend(["--jobs".to_owned(), self.cpus.to_string()]);
        }
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        // In place of the shell, so that signals reach the program.
        let _ = writeln!(script, "exec {} --shard \"$SLURM_ARRAY_TASK_ID/{}\"", words.join(" "), self.tasks);
        Ok(script)
    }
}

fn wrong<T>(name: &'static str, expected: &'static str, given: &str) -> Result<T> {
    Err(Error::Setting { name, expected, given: given.to_owned() }.into())
}

/// The arguments of the command that the tasks run: without `submit` and its own options.
fn passed_on(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let (mut kept, mut arguments) = (Vec::new(), arguments.peekable());
    let mut named = false;
    while let Some(argument) = arguments.next() {
        if !named && argument == "submit" {
            named = true;
        } else if WITH_VALUE.contains(&argument.as_str()) {
            arguments.next();
        } else if argument == "--expression" {
            // Whose text may look like anything.
            kept.push(argument);
            kept.extend(arguments.next());
        } else {
            let name = argument.split_once('=').map_or(argument.as_str(), |(name, _)| name);
            let is_ours = ALONE.contains(&name) || (argument.contains('=') && WITH_VALUE.contains(&name));
            if !is_ours {
                kept.push(argument);
            }
        }
    }
    kept
}

/// A word of a shell's command.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn one_line(value: &str) -> Result<&str> {
    match value.contains('\n') {
        true => wrong("an option of sbatch", "one line", &value.escape_debug().to_string()),
        false => Ok(value),
    }
}

/// `3,7-9` as numbers from 1 to `most`.
fn numbers(text: &str, most: usize) -> Result<BTreeSet<usize>> {
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
            (Ok(first), Ok(last)) if 1 <= first && first <= last && last <= most => numbers.extend(first..=last),
            _ => return wrong("--only", "numbers of tasks, from 1 to that of --tasks, such as 3,7-9", text),
        }
    }
    Ok(numbers)
}

/// Numbers as `3,7-9`.
fn list(numbers: &BTreeSet<usize>) -> String {
    let mut ranges: Vec<[usize; 2]> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some([_, last]) if *last + 1 == number => *last = number,
            _ => ranges.push([number; 2]),
        }
    }
    let range = |[first, last]: [usize; 2]| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.into_iter().map(range).collect::<Vec<_>>().join(",")
}

/// Gives the script to sbatch. Returns the number of the job.
fn submit(script: &str) -> Result<String> {
    const REMEDY: &str =
        "submit from a machine with Slurm's commands, or write the script with --dry-run and submit it there";
    let mut sbatch = Command::new("sbatch")
        .arg("--parsable")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| anyhow!("cannot start sbatch: {error}; {REMEDY}"))?;
    // If it cannot be written, sbatch says so.
    let _ = sbatch.stdin.take().map(|mut input| input.write_all(script.as_bytes()));
    let done = sbatch.wait_with_output().context("cannot wait for sbatch")?;
    let (out, error) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    // The number, and the cluster where there are several.
    let job = out.trim().split(';').next().unwrap_or_default();
    if done.status.success() && !job.is_empty() {
        return Ok(job.to_owned());
    }
    bail!("sbatch refused the job: {}", reason(&error))
}

/// The reason that a command of Slurm gives on standard error, without the marks before each line and what goes without saying.
fn reason(error: &str) -> String {
    const MARKS: [&str; 6] =
        ["sbatch: ", "squeue: ", "error: ", "fatal: ", "Batch job submission failed: ", "slurm_load_jobs error: "];
    let mut reasons: Vec<String> = Vec::new();
    for line in error.lines() {
        let mut words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        while let Some(rest) = MARKS.iter().find_map(|mark| words.strip_prefix(mark)) {
            words = rest.to_owned();
        }
        if !words.is_empty() && !reasons.contains(&words) {
            reasons.push(words);
        }
    }
    if reasons.is_empty() { "it gave no reason".to_owned() } else { reasons.join("; ") }
}

/// The number of tasks of a job that are waiting or running, by their state; none once all are gone.
fn queue(job: &str) -> Result<BTreeMap<String, usize>> {
    let done = Command::new("squeue")
        .args(["--noheader", "--array", "--format=%T", "--jobs", job])
        .output()
        .context("cannot start squeue")?;
    let error = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() && !error.contains("Invalid job id") {
        bail!("squeue failed: {}", reason(&error));
    }
    let mut states = BTreeMap::new();
    for state in String::from_utf8_lossy(&done.stdout).split_whitespace() {
        *states.entry(state.to_lowercase()).or_insert(0) += 1;
    }
    Ok(states)
}

/// Shows the progress of all tasks until none is left.
fn follow(job: &str, asked: &Asked, shelf: &Shelf, parts: &[(usize, Trial)]) -> Result<()> {
    let trials: Vec<Trial> = parts.iter().map(|(_, trial)| *trial).collect();
    let bar = progress::bar(trials.len() as u64);
    let mut failures = 0;
    loop {
        let clock = Instant::now();
        let states = match queue(job) {
            Ok(states) => {
                failures = 0;
                states
            }
            Err(error) if failures == FAILURES => return Err(error),
            Err(_) => {
                failures += 1;
                BTreeMap::from([("unknown".to_owned(), 0)])
            }
        };
        let there = asked.experiment.there(shelf, &trials);
        let tasks: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        bar.set_message(tasks.join(", "));
        bar.set_position(there as u64);
        bar.tick();
        if states.is_empty() {
            break;
        }
        // A large store is looked at less often.
        let pause = PAUSE.max(5 * clock.elapsed());
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if interrupt::requested() {
                bar.abandon();
                bail!("interrupted: the array {job} goes on; scancel {job} ends it");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    // What nodes have written last is there when they are gone, but this one may not see it yet.
    std::thread::sleep(PAUSE);
    bar.set_message("");
    bar.set_position(asked.experiment.there(shelf, &trials) as u64);
    bar.abandon();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_submitting_is_not_passed_on() {
        let line = "--instruction-set avx2 submit sweep levy --rates 1,0.1 --tasks 8 --time=1:00 --store s --wait \
                    --expression --wait --name submit --dry-run --output=a.parquet --jobs 2 --sbatch=--mem=1G";
        let kept = passed_on(line.split_whitespace().map(str::to_owned)).join(" ");
        assert_eq!(kept, "--instruction-set avx2 sweep levy --rates 1,0.1 --expression --wait --name submit --jobs 2");
    }

    #[test]
    fn reasons_have_no_marks() {
        let refused = "sbatch: error: invalid partition specified: nowhere\n\
                       sbatch: error: Batch job submission failed: Invalid partition name specified\n";
        assert_eq!(reason(refused), "invalid partition specified: nowhere; Invalid partition name specified");
        let away = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n";
        assert_eq!(reason(away), "Unable to contact slurm controller (connect failure)");
        assert_eq!(reason(" \n"), "it gave no reason");
    }

    #[test]
    fn lists_of_tasks_come_back() {
        for text in ["1", "3,7-9", "1-10", "2,4,6"] {
            assert_eq!(list(&numbers(text, 10).unwrap()), text);
        }
        assert_eq!(list(&numbers("9,8, 7,3", 10).unwrap()), "3,7-9");
        for text in ["", "0", "11", "3-2", "a", "1,,2", "-1"] {
            assert!(numbers(text, 10).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(["a-b/c.d", "", "a b", "it's", "$x"].map(quoted), ["a-b/c.d", "''", "'a b'", "'it'\\''s'", "'$x'"]);
    }
}
