//! Parts of an experiment, for several machines.

use super::manifest::{Experiment, Trial};
use crate::error::Error;
use std::env;
use std::fmt;
use std::str::FromStr;

/// One of several parts of an experiment, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the part.
    pub index: usize,
    /// The number of parts.
    pub count: usize,
}

impl Shard {
    /// The most parts: more are a slip of the keyboard.
    pub const MOST: usize = 1_000_000;

    /// The part that a task of a Slurm array is for, by the environment of the task.
    ///
    /// # Errors
    /// If this is no task of an array, or the numbers of the array's tasks have gaps.
    pub fn of_slurm_task() -> Result<Self, Error> {
        Self::of_task(|name| env::var(name).ok())
    }

    fn of_task(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        const NAMES: [&str; 4] = ["ID", "MIN", "MAX", "COUNT"];
        let read = |name| variable(&format!("SLURM_ARRAY_TASK_{name}"));
        let numbers = NAMES.map(|name| read(name).and_then(|text| text.parse::<usize>().ok()));
        let [Some(id), Some(min), Some(max), Some(count)] = numbers else {
            let given = NAMES.iter().zip(numbers).find(|(_, number)| number.is_none()).map_or("", |(name, _)| name);
            let expected = "given as I/N, or auto in a task of a Slurm array";
            return Err(Error::Setting {
                name: "--shard",
                expected,
                given: format!("auto without SLURM_ARRAY_TASK_{given}"),
            });
        };
        if id < min || id > max || max - min + 1 != count {
            let expected = "given as I/N where the numbers of an array's tasks have gaps: which parts are meant is not known there";
            let given = format!("auto in task {id} of {count} from {min} to {max}");
            return Err(Error::Setting { name: "--shard", expected, given });
        }
        Ok(Self { index: id - min + 1, count })
    }

    /// The runs of this part.
    ///
    /// It depends on the runs that were asked for alone, not on which of them are there. They are cut into pieces of equal cost, in the
    /// order of their names, which has nothing to do with rates; those of an objective that is drawn seed by seed, so that as few parts as can
    /// be draw the same one.
    ///
    /// # Errors
    /// If the objective is not defined in so many dimensions.
    pub fn of(self, experiment: &Experiment) -> Result<Vec<Trial>, Error> {
        let parts = Self::parts(experiment, self.count)?;
        Ok(parts.into_iter().filter(|(part, _)| *part == self.index).map(|(_, trial)| trial).collect())
    }

    /// All runs, each with the number of its part of `count`: see [`Shard::of`].
    ///
    /// # Errors
    /// As [`Shard::of`].
    pub fn parts(experiment: &Experiment, count: usize) -> Result<Vec<(usize, Trial)>, Error> {
        let costs = experiment.costs()?;
        let drawn = experiment.sweep.problem.is_drawn();
        let mut trials = experiment.trials();
        trials.sort_by_key(|trial| (if drawn { trial.seed } else { 0 }, trial.id));
        let cost = |trial: &Trial| u128::from(costs[&trial.optimizer]);
        let total: u128 = trials.iter().map(cost).sum();
        let mut before = 0;
        let part = |trial: Trial| {
            // The part that the middle of the run lies in.
            let middle = 2 * before + cost(&trial);
            before += cost(&trial);
            (1 + (middle * count as u128 / (2 * total)) as usize, trial)
        };
        Ok(trials.into_iter().map(part).collect())
    }
}

impl FromStr for Shard {
    type Err = Error;

    /// `3/100`, or `auto` for [`Shard::of_slurm_task`].
    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "auto" {
            return Self::of_slurm_task();
        }
        let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=Self::MOST).contains(&count) && (1..=count).contains(&index) => {
                Ok(Self { index, count })
            }
            _ => {
                let expected = "I/N with I from 1 to N, such as 3/100, or auto in a task of a Slurm array";
                Err(Error::Setting { name: "--shard", expected, given: crate::error::excerpt(text) })
            }
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Backend;
    use crate::experiment::{Dtype, Protocol};
    use crate::objective::Function;
    use std::collections::BTreeMap;

    fn experiment(function: Function, seeds: u64) -> Experiment {
        let mut protocol = Protocol::paper();
        (protocol.seeds, protocol.glass_seeds) = (seeds, seeds);
        Experiment::of_sweep(&protocol.sweep(function), Dtype::F64, Backend::Cpu)
    }

    #[test]
    fn parts_are_disjoint_complete_and_of_equal_cost() {
        for (function, seeds, count) in
            [(Function::Levy, 20, 7), (Function::SpinGlass, 20, 6), (Function::Ackley, 1, 50)]
        {
            let experiment = experiment(function, seeds);
            let costs = experiment.costs().unwrap();
            let parts: Vec<Vec<Trial>> =
                (1..=count).map(|index| Shard { index, count }.of(&experiment).unwrap()).collect();
            let mut ids: Vec<_> = parts.iter().flatten().map(|trial| trial.id).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), experiment.len());
            assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), experiment.len());
            let of = |part: &Vec<Trial>| part.iter().map(|trial| costs[&trial.optimizer]).sum::<u64>();
            let largest = costs.values().max().unwrap();
            let (least, most) = (parts.iter().map(of).min().unwrap(), parts.iter().map(of).max().unwrap());
            assert!(most - least <= 2 * largest, "{function}: from {least} to {most}");
        }
    }

    #[test]
    fn a_part_of_a_glass_has_few_seeds_and_one_of_a_function_all_rates() {
        let seeds_and_rates = |function| {
            let part = Shard { index: 2, count: 10 }.of(&experiment(function, 20)).unwrap();
            let mut counts = (BTreeMap::new(), BTreeMap::new());
            for trial in part {
                *counts.0.entry(trial.seed).or_insert(0) += 1;
                *counts.1.entry(trial.rate.to_bits()).or_insert(0) += 1;
            }
            (counts.0.len(), counts.1.len())
        };
        assert!(seeds_and_rates(Function::SpinGlass).0 <= 3);
        assert!(seeds_and_rates(Function::Levy).1 >= 8, "rates that end soon and rates that do not");
    }

    #[test]
    fn shards_are_read_from_text_and_from_slurm() {
        assert_eq!("3/100".parse::<Shard>().unwrap(), Shard { index: 3, count: 100 });
        for text in ["", "3", "0/5", "6/5", "1/0", "a/b", "1/10000000", "-1/5", "1/5/5"] {
            assert!(text.parse::<Shard>().unwrap_err().to_string().contains("I/N"), "{text}");
        }
        let task = |numbers: [&str; 4]| {
            Shard::of_task(move |name| {
                let position =
                    ["ID", "MIN", "MAX", "COUNT"].iter().position(|ending| name.ends_with(&format!("_{ending}")));
                position.map(|position| numbers[position].to_owned()).filter(|number| !number.is_empty())
            })
        };
        assert_eq!(task(["7", "5", "9", "5"]).unwrap(), Shard { index: 3, count: 5 });
        assert!(task(["7", "5", "9", "3"]).unwrap_err().to_string().contains("gaps"));
        assert!(task(["", "5", "9", "5"]).unwrap_err().to_string().contains("SLURM_ARRAY_TASK_ID"));
    }
}
