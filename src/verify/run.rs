//! The faults of a run.

use super::Bound;
use crate::descent::{Outcome, Sample};
use crate::experiment::Run;
use crate::objective::Problem;
use crate::rule::{Plateau, Schedule, StepSize};

/// The faults of `run` on `problem`, in sentences. Without the problem its values are not computed.
pub(super) fn faults(run: &Run, problem: Option<&Problem>) -> Vec<String> {
    let mut faults = Vec::new();
    faults.extend(numbers(run));
    faults.extend(order(run));
    faults.extend(steps(run));
    faults.extend(problem.and_then(|problem| value(run, problem)));
    faults
}

/// A number that is none.
fn numbers(run: &Run) -> Option<String> {
    let point = run.x.iter().find(|x| !(0.0..=1.0).contains(*x));
    if let Some(x) = point {
        return Some(format!("the best point has the coordinate {x}, outside the unit cube"));
    }
    if run.outcome == Outcome::Diverged {
        return None;
    }
    let finite = |sample: &Sample| {
        let Sample { seconds, min, mean, best, step_size, .. } = *sample;
        [seconds, min, mean, best, step_size].iter().all(|number| number.is_finite())
    };
    if let Some(sample) = run.samples.iter().find(|sample| !finite(sample)) {
        return Some(format!(
            "iteration {} has a number that is not finite, and the run did not diverge",
            sample.iteration
        ));
    }
    let finite = run.best.is_finite() && run.seconds.is_finite();
    (!finite)
        .then(|| format!("its best {} or its {} seconds are not finite, and it did not diverge", run.best, run.seconds))
}

/// Samples that are not in order.
fn order(run: &Run) -> Option<String> {
    let last = run.samples.last()?;
    for pair in run.samples.windows(2) {
        let [before, after] = pair else { continue };
        if after.iteration <= before.iteration || after.seconds < before.seconds {
            return Some(format!("iteration {} does not come after iteration {}", after.iteration, before.iteration));
        }
        if after.best > before.best {
            return Some(format!("best rises from {} to {} at iteration {}", before.best, after.best, after.iteration));
        }
    }
    let mut smallest = f64::INFINITY;
    for sample in &run.samples {
        smallest = smallest.min(sample.min);
        if sample.best > smallest {
            return Some(format!(
                "best is {} at iteration {}, and {smallest} was found before",
                sample.best, sample.iteration
            ));
        }
    }
    if last.iteration + 1 != run.iterations || last.best.to_bits() != run.best.to_bits() {
        return Some(format!(
            "its trace ends at iteration {} with best {}, and it took {} iterations to {}",
            last.iteration, last.best, run.iterations, run.best
        ));
    }
    None
}

/// A step size that the schedule does not make.
fn steps(run: &Run) -> Option<String> {
    let mut replayed = StepSize::new(run.settings.scheduled());
    let mut known = true;
    for (index, sample) in run.samples.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| run.samples[before]);
        // While every iteration is recorded the schedule has all that it depends on.
        known &= sample.iteration == index as u64;
        let possible = match before.filter(|_| !known) {
            None => sample.step_size.to_bits() == replayed.current().to_bits(),
            Some(before) => can_become(run.settings.learning_rate.schedule, before, *sample, &mut replayed),
        };
        if !possible {
            return Some(format!(
                "the step size {} of iteration {} is not the schedule's",
                sample.step_size, sample.iteration
            ));
        }
        if known {
            replayed.observe(sample.mean);
        }
    }
    None
}

/// True if the step size can become that of `after` in the iterations since `before`.
fn can_become(schedule: Schedule, before: Sample, after: Sample, replayed: &mut StepSize) -> bool {
    let iterations = after.iteration - before.iteration;
    match schedule {
        // These depend on the number of iterations alone.
        Schedule::Constant | Schedule::Cosine(_) => {
            replayed.skip_to(after.iteration);
            replayed.current().to_bits() == after.step_size.to_bits()
        }
        Schedule::Plateau(Plateau { factor, floor, least_change, .. }) => {
            let mut step_size = before.step_size;
            for _ in 0..iterations {
                if step_size.to_bits() == after.step_size.to_bits() {
                    return true;
                }
                let smaller = (step_size * factor).max(floor);
                if step_size - smaller > least_change {
                    step_size = smaller;
                } else {
                    break;
                }
            }
            step_size.to_bits() == after.step_size.to_bits()
        }
    }
}

/// A best that is not F at the best point.
fn value(run: &Run, problem: &Problem) -> Option<String> {
    if !run.best.is_finite() {
        return None;
    }
    let d = run.dimensions.d;
    let found = if run.dtype == "f32" {
        let narrow: Vec<f32> = run.x.iter().map(|&x| x as f32).collect();
        problem.evaluate::<f32>(d, run.seed, &narrow).map(|found| f64::from(found.scaled[0]))
    } else {
        problem.evaluate::<f64>(d, run.seed, &run.x).map(|found| found.scaled[0])
    };
    match found {
        Err(error) => Some(format!("F cannot be computed at its best point: {error}")),
        Ok(value) if Bound::VALUE.holds(run.dtype, run.best, value) => None,
        Ok(value) => Some(format!("F is {value} at its best point, and its best is {}", run.best)),
    }
}

/// The first number in which two runs of the same settings differ, times apart. Where one has no trace, results alone are compared.
pub(super) fn difference(old: &Run, new: &Run) -> Option<String> {
    let results = [("best", old.best, new.best), ("iterations", old.iterations as f64, new.iterations as f64)];
    for (name, old, new) in results {
        if old.to_bits() != new.to_bits() {
            return Some(format!("{name} was {old} and is {new}"));
        }
    }
    if old.outcome != new.outcome || old.x.iter().zip(&new.x).any(|(old, new)| old.to_bits() != new.to_bits()) {
        return Some(format!(
            "the outcome was {} and is {}, or the best point is another",
            old.outcome.name(),
            new.outcome.name()
        ));
    }
    if old.samples.is_empty() {
        return None;
    }
    let differ = |(old, new): (&Sample, &Sample)| {
        let numbers = |sample: &Sample| [sample.min, sample.mean, sample.best, sample.step_size].map(f64::to_bits);
        (old.iteration != new.iteration || numbers(old) != numbers(new)).then_some(old.iteration)
    };
    if let Some(iteration) = old.samples.iter().zip(&new.samples).find_map(differ) {
        return Some(format!("iteration {iteration} is another"));
    }
    (old.samples.len() != new.samples.len())
        .then(|| format!("{} iterations were recorded and {} are", old.samples.len(), new.samples.len()))
}

/// The difference between `new` and `old` that roundings of another instruction set do not explain.
pub(super) fn distance(old: &Run, new: &Run) -> Option<String> {
    let (Some(old_first), Some(new_first)) = (old.samples.first(), new.samples.first()) else { return None };
    let close = |a, b| Bound::START.holds(old.dtype, a, b);
    let agree = old_first.iteration == new_first.iteration
        && close(old_first.min, new_first.min)
        && close(old_first.mean, new_first.mean);
    (!agree).then(|| format!("its first iteration was {} and is {}", old_first.mean, new_first.mean))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descent::Optimizer;
    use crate::experiment::Protocol;
    use crate::objective::Function;
    use crate::rule::Schedule;

    fn run(schedule: &str, thinned: bool) -> (Problem, Run) {
        let mut settings = Protocol::paper().settings(Function::Levy).iterations(600).learning_rate(0.5);
        settings.learning_rate.schedule = schedule.parse::<Schedule>().unwrap();
        settings.thinned = thinned;
        let problem = Problem::from(Function::Levy);
        let run = Protocol::paper().run(&problem, Optimizer::Deep, 1, &settings).unwrap();
        (problem, run)
    }

    #[test]
    fn runs_as_they_come_are_sound() {
        for schedule in ["paper", "deep-convexity", "plateau", "constant", "cosine"] {
            for thinned in [true, false] {
                let (problem, run) = run(schedule, thinned);
                assert_eq!(faults(&run, Some(&problem)), Vec::<String>::new(), "{schedule}, {thinned}");
                assert_eq!(difference(&run, &super::super::again(&problem, &run).unwrap()), None);
            }
        }
    }

    #[test]
    fn a_number_that_was_changed_is_found() {
        let (problem, whole) = run("paper", true);
        let last = whole.samples.len() - 1;
        type Change<'a> = &'a dyn Fn(&mut Run);
        let changes: [(Change<'_>, &str); 9] = [
            (&|run| run.x[3] = 1.5, "unit cube"),
            (&|run| run.x[3] = 0.75, "at its best point"),
            (&|run| run.samples[4].mean = f64::NAN, "not finite"),
            (&|run| run.samples[4].best = 2.0, "rises"),
            (&|run| run.samples[4].iteration = 3, "does not come after"),
            (&|run| run.samples[4].min = 0.0, "was found before"),
            (&|run| run.samples[3].step_size *= 1.0 + f64::EPSILON, "not the schedule's"),
            (&|run| run.samples[last].step_size *= 0.5, "not the schedule's"),
            (&|run| run.best *= 0.5, "its trace ends"),
        ];
        for (change, part) in changes {
            let mut changed = whole.clone();
            change(&mut changed);
            let found = faults(&changed, Some(&problem));
            assert!(found.iter().any(|fault| fault.contains(part)), "{part}: {found:?}");
            assert!(difference(&whole, &changed).is_some() || part == "not finite", "{part}");
        }
    }
}
