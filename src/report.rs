//! The results of a comparison of the two optimizers: minima, times and rates per function.

use crate::descent::Optimizer;
use crate::error::Error;
use crate::trace;
use polars::prelude::{Column, DataFrame, PolarsError, PolarsResult};
use std::collections::HashMap;
use std::path::Path;

/// The share of the descent of a seed's shallow run that a run has to make to count as converged.
pub const CONVERGED: f64 = 0.999;

/// The timed runs of every function, both optimizers beside each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// One for each function, in the order of the summary.
    pub contests: Vec<Contest>,
}

/// The timed runs of one function.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contest {
    /// The objective's name.
    pub function: String,
    /// The runs of the shallow optimizer.
    pub shallow: Vec<Entry>,
    /// The runs of the deep optimizer.
    pub deep: Vec<Entry>,
}

/// One timed run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The seed of the start.
    pub seed: u64,
    /// The first step size α₀.
    pub rate: f64,
    /// The smallest scaled objective over the points at the start.
    pub start: f64,
    /// The smallest scaled objective of the run; NaN if it diverged.
    pub best: f64,
    /// Seconds per iteration.
    pub pace: f64,
    /// Seconds until it counts as [`CONVERGED`]; infinite if it never does.
    pub seconds: f64,
}

impl Report {
    /// The report of the results that `overparam figures` has written to the folder `data`: `summary.parquet` and `traces/FUNCTION.parquet`.
    ///
    /// # Errors
    /// If a file is missing or damaged, or has other columns.
    pub fn read(data: impl AsRef<Path>) -> Result<Self, Error> {
        let data = data.as_ref();
        let path = data.join("summary.parquet");
        let summary = trace::read(&path)?;
        let mut report = Self::of(&summary).map_err(|source| refused(&path, source))?;
        for contest in &mut report.contests {
            let path = data.join(format!("traces/{}.parquet", contest.function));
            contest.follow(&trace::read(&path)?).map_err(|source| refused(&path, source))?;
        }
        Ok(report)
    }

    /// The runs of a summary, their traces not yet looked at.
    fn of(summary: &DataFrame) -> PolarsResult<Self> {
        let [stage, function, optimizer, outcome] =
            ["stage", "function", "optimizer", "outcome"].map(|name| texts(summary, name));
        let (stage, function, optimizer, outcome) = (stage?, function?, optimizer?, outcome?);
        let (seeds, rates) = (seeds(summary)?, numbers(summary, "learning_rate")?);
        let (bests, seconds) = (numbers(summary, "best")?, numbers(summary, "seconds")?);
        let iterations = summary.column("iterations")?.cast(&polars::prelude::DataType::Float64)?;
        let iterations = iterations.f64()?;
        let mut report = Self::default();
        for row in (0..summary.height()).filter(|&row| stage[row] == "timed") {
            let place = report.contests.iter().position(|contest| contest.function == function[row]);
            let place = place.unwrap_or_else(|| {
                report.contests.push(Contest { function: function[row].clone(), ..Contest::default() });
                report.contests.len() - 1
            });
            let best = if outcome[row] == "diverged" { f64::NAN } else { bests[row] };
            let pace = seconds[row] / iterations.get(row).unwrap_or(f64::NAN);
            let (seed, rate) = (seeds[row], rates[row]);
            let entry = Entry { seed, rate, start: f64::NAN, best, pace, seconds: f64::INFINITY };
            let contest = &mut report.contests[place];
            let of: Optimizer = optimizer[row].parse().map_err(|error: Error| fault(error.to_string()))?;
            match of {
                Optimizer::Shallow => &mut contest.shallow,
                Optimizer::Deep => &mut contest.deep,
            }
            .push(entry);
        }
        Ok(report)
    }

    /// The minima of every function: the medians over the seeds and the lowest values of both optimizers, and the seeds in which the deep one
    /// is lower.
    ///
    /// # Errors
    /// If the table cannot be made.
    pub fn minima(&self) -> Result<DataFrame, Error> {
        let wins = self.contests.iter().map(|contest| format!("{} of {}", contest.wins(), contest.deep.len()));
        table(vec![
            Column::new("function".into(), self.functions()),
            Column::new("shallow, median".into(), self.column(|contest| contest.medians()[0])),
            Column::new("deep, median".into(), self.column(|contest| contest.medians()[1])),
            Column::new("shallow, lowest".into(), self.column(|contest| contest.lowest()[0])),
            Column::new("deep, lowest".into(), self.column(|contest| contest.lowest()[1])),
            Column::new("deep lower".into(), wins.collect::<Vec<_>>()),
        ])
    }

    /// The medians of the seconds that both optimizers take until they count as [`CONVERGED`], and how many times as fast the deep one is.
    ///
    /// # Errors
    /// If the table cannot be made.
    pub fn times(&self) -> Result<DataFrame, Error> {
        table(vec![
            Column::new("function".into(), self.functions()),
            Column::new("shallow [s]".into(), self.column(|contest| contest.seconds()[0])),
            Column::new("deep [s]".into(), self.column(|contest| contest.seconds()[1])),
            Column::new("shallow / deep".into(), self.column(Contest::speed)),
        ])
    }

    /// The functions for which `holds` is true, after their number, such as `2 of 9: levy, sphere`.
    pub fn count(&self, holds: impl Fn(&Contest) -> bool) -> String {
        let found: Vec<&str> = self.contests.iter().filter(|contest| holds(contest)).map(|c| &c.function[..]).collect();
        format!("{} of {}: {}", found.len(), self.contests.len(), found.join(", "))
    }

    fn functions(&self) -> Vec<String> {
        self.contests.iter().map(|contest| contest.function.clone()).collect()
    }

    fn column(&self, value: impl Fn(&Contest) -> f64) -> Vec<f64> {
        self.contests.iter().map(value).collect()
    }
}

impl Contest {
    /// The runs of both optimizers, shallow and deep.
    pub fn both(&self) -> [&[Entry]; 2] {
        [&self.shallow, &self.deep]
    }

    /// `pick` of one number of every run, shallow and deep.
    fn of(&self, value: fn(&Entry) -> f64, pick: fn(&[f64]) -> f64) -> [f64; 2] {
        self.both().map(|entries| pick(&entries.iter().map(value).collect::<Vec<_>>()))
    }

    /// The medians over the seeds of the smallest objectives, shallow and deep. Runs that diverged do not count.
    pub fn medians(&self) -> [f64; 2] {
        self.of(|entry| entry.best, median)
    }

    /// The smallest objectives over all seeds, shallow and deep.
    pub fn lowest(&self) -> [f64; 2] {
        self.of(|entry| entry.best, lowest)
    }

    /// The medians of the seconds until runs count as [`CONVERGED`], shallow and deep: infinite if half of the runs never do.
    pub fn seconds(&self) -> [f64; 2] {
        self.of(|entry| entry.seconds, median)
    }

    /// How many times as long the shallow optimizer takes until it counts as [`CONVERGED`].
    pub fn speed(&self) -> f64 {
        let [shallow, deep] = self.seconds();
        shallow / deep
    }

    /// The medians of the seconds per iteration, shallow and deep.
    pub fn pace(&self) -> [f64; 2] {
        self.of(|entry| entry.pace, median)
    }

    /// The number of seeds in which the deep run is lower than the shallow one.
    pub fn wins(&self) -> usize {
        self.deep.iter().filter(|deep| self.twin(deep.seed).is_some_and(|shallow| deep.best < shallow.best)).count()
    }

    /// True if both runs of every seed start at the same smallest objective, to the last bit.
    pub fn same_start(&self) -> bool {
        let same = |deep: &Entry| self.twin(deep.seed).is_some_and(|twin| twin.start.to_bits() == deep.start.to_bits());
        !self.deep.is_empty() && self.deep.len() == self.shallow.len() && self.deep.iter().all(same)
    }

    /// The shallow run of a seed.
    fn twin(&self, seed: u64) -> Option<&Entry> {
        self.shallow.iter().find(|entry| entry.seed == seed)
    }

    /// Takes the starts and the times from the traces of the runs.
    fn follow(&mut self, traces: &DataFrame) -> PolarsResult<()> {
        let (optimizers, seeds) = (texts(traces, "optimizer")?, seeds(traces)?);
        let [minima, bests, seconds] = ["objective_min", "best", "seconds"].map(|name| numbers(traces, name));
        let (minima, bests, seconds) = (minima?, bests?, seconds?);
        // The rows of each run, by iteration.
        let mut rows: HashMap<(&str, u64), Vec<usize>> = HashMap::new();
        for row in 0..traces.height() {
            rows.entry((&optimizers[row], seeds[row])).or_default().push(row);
        }
        let mut targets = HashMap::new();
        for (optimizer, entries) in Optimizer::ALL.into_iter().zip([&mut self.shallow, &mut self.deep]) {
            for entry in entries {
                let rows = rows.get(&(optimizer.name(), entry.seed)).map_or(&[][..], |rows| rows);
                let Some(&first) = rows.first() else { continue };
                entry.start = minima[first];
                if optimizer == Optimizer::Shallow {
                    targets.insert(entry.seed, entry.start + CONVERGED * (entry.best - entry.start));
                }
                let target = targets.get(&entry.seed).copied().unwrap_or(f64::NAN);
                let reached = rows.iter().find(|&&row| bests[row] <= target && !entry.best.is_nan());
                entry.seconds = reached.map_or(f64::INFINITY, |&row| seconds[row]);
            }
        }
        Ok(())
    }
}

/// The median of the values that are numbers, NaN if there is none. Infinite values count.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[half],
        _ => 0.5 * (sorted[half - 1] + sorted[half]),
    }
}

/// The lowest of the values that are numbers, NaN if there is none.
fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::min)
}

fn table(columns: Vec<Column>) -> Result<DataFrame, Error> {
    let height = columns.first().map_or(0, Column::len);
    DataFrame::new(height, columns).map_err(|source| Error::table("tabulate the report", source))
}

fn fault(text: String) -> PolarsError {
    PolarsError::ComputeError(text.into())
}

fn refused(path: &Path, source: PolarsError) -> Error {
    Error::table(format!("report on {}", path.display()), source)
}

fn texts(table: &DataFrame, name: &str) -> PolarsResult<Vec<String>> {
    Ok(table.column(name)?.str()?.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

fn numbers(table: &DataFrame, name: &str) -> PolarsResult<Vec<f64>> {
    Ok(table.column(name)?.f64()?.iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}

fn seeds(table: &DataFrame) -> PolarsResult<Vec<u64>> {
    table.column("seed")?.u64()?.iter().map(|seed| seed.ok_or_else(|| fault("a run has no seed".to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Comparison, Dimensions, Protocol, Run, Stage};
    use crate::objective::Function;

    fn comparison(function: Function) -> Comparison {
        let protocol = Protocol {
            rates: vec![1.0],
            iterations: 300,
            seeds: 3,
            equal_time: false,
            dimensions: Dimensions { n: 4, d: 5, ..Dimensions::PAPER },
            ..Protocol::paper()
        };
        protocol.compare(function, &|_: Stage, _: &Run| {}).unwrap()
    }

    #[test]
    fn the_files_of_a_comparison_say_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let comparisons = [Function::Sphere, Function::Rastrigin].map(comparison);
        let mut summary = comparisons[0].summary().unwrap();
        summary.vstack_mut(&comparisons[1].summary().unwrap()).unwrap();
        trace::write(&summary, &folder.path().join("summary.parquet"), "").unwrap();
        for comparison in &comparisons {
            let path = folder.path().join(format!("traces/{}.parquet", comparison.problem));
            trace::write(&comparison.traces().unwrap(), &path, "").unwrap();
        }
        let report = Report::read(folder.path()).unwrap();
        assert_eq!(report.contests.len(), 2);
        for (contest, comparison) in report.contests.iter().zip(&comparisons) {
            assert_eq!(contest.function, comparison.problem.name());
            assert!(contest.same_start());
            for (optimizer, entries) in Optimizer::ALL.into_iter().zip(contest.both()) {
                let runs: Vec<&Run> = comparison.timed(optimizer).collect();
                assert_eq!(entries.len(), runs.len());
                for (entry, run) in entries.iter().zip(runs) {
                    let twin = comparison.timed(Optimizer::Shallow).find(|twin| twin.seed == run.seed).unwrap();
                    let first = twin.samples[0].min;
                    let seconds = run.seconds_to(first + CONVERGED * (twin.best - first)).unwrap_or(f64::INFINITY);
                    let expected = Entry {
                        seed: run.seed,
                        rate: 1.0,
                        start: first,
                        best: run.best,
                        pace: run.seconds / run.iterations as f64,
                        seconds,
                    };
                    assert_eq!(*entry, expected);
                }
            }
            let lower = |seed: &u64| {
                let [shallow, deep] =
                    Optimizer::ALL.map(|of| comparison.timed(of).find(|run| run.seed == *seed).unwrap().best);
                deep < shallow
            };
            assert_eq!(contest.wins(), [0, 1, 2].iter().filter(|&seed| lower(seed)).count());
        }
        let minima = report.minima().unwrap();
        assert_eq!(numbers(&minima, "deep, median").unwrap()[1], report.contests[1].medians()[1]);
        assert_eq!(report.times().unwrap().height(), 2);
        assert_eq!(report.count(|contest| contest.function == "sphere"), "1 of 2: sphere");
        // All traces in one table, by name.
        let all = trace::read_folder(&folder.path().join("traces")).unwrap();
        assert_eq!(all.height(), comparisons.iter().map(|one| one.traces().unwrap().height()).sum::<usize>());
        assert_eq!(texts(&all, "function").unwrap()[0], "rastrigin");
        let empty = tempfile::tempdir().unwrap();
        assert!(trace::read_folder(empty.path()).unwrap_err().to_string().contains("there is none"));
    }

    #[test]
    fn medians_leave_out_what_is_no_number() {
        for (values, expected) in [
            (&[3.0, f64::NAN, 1.0][..], 2.0),
            (&[f64::INFINITY, 1.0, 2.0], 2.0),
            (&[1.0, f64::INFINITY, f64::INFINITY], f64::INFINITY),
        ] {
            assert_eq!(median(values), expected);
        }
        assert!(median(&[]).is_nan() && lowest(&[f64::NAN]).is_nan());
    }
}
