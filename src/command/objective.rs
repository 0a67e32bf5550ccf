//! The objective that a command is about.

use super::naming::{hash, number};
use super::settings;
use anyhow::Result;
use clap::Args;
use overparam::expression::Data;
use overparam::output::Output;
use overparam::prelude::*;
use overparam::store::{DataFile, Text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An objective of your own, in place of a function's name.
#[derive(Args)]
pub struct ExpressionOptions {
    /// An objective of your own, in place of FUNCTION, in numpy's grammar, such as "sum(u^2 - 10*cos(2*pi*u) + 10)"
    ///
    /// The coordinates are u in the box and x in the unit cube, d is their number and i the vector 0, 1, …, d-1; pi and e are numbers.
    /// There are + - * / ^ ** @, comparisons in where(c, a, b), slices such as u[1:], u[::2], m[:, 0] and u[-1], lists such as [1, 2], and
    /// sqrt, exp, expm1, log, log1p, sin, cos, tan, arcsin, arccos, arctan, sinh, cosh, tanh, abs, sign, floor, relu, softplus, sigmoid, erf,
    /// square, minimum, maximum, power, clip; sum, mean and norm, of all or with axis=1, prod, min, max, logsumexp, dot, cumsum, concatenate,
    /// reshape, ravel, transpose, take, arange, size; pairs(n)[0] and pairs(n)[1] are the places of all pairs i < j of n. Parts have names:
    /// "r = u - 1; sum(r^2)". A # begins a comment.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    expression: Option<String>,
    /// The bounds of every coordinate u of the expression
    #[arg(long = "box", value_name = "LO,HI", allow_hyphen_values = true, value_parser = pair)]
    bounds: Option<Pair>,
    /// The values of the expression for which the scaled objective is 0 and 1 [default: 0,1, so that it is not scaled]
    #[arg(long, value_name = "LO,HI", allow_hyphen_values = true, value_parser = pair)]
    range: Option<Pair>,
    /// The name of the expression in tables and files [default: "expression-" and 8 digits derived from text, box, range and data]
    #[arg(long)]
    name: Option<String>,
    /// Makes the numbers in a .parquet or .csv file available to the expression as NAME: a vector if it has one column, else a matrix. Repeat the option for several files
    #[arg(long, value_name = "NAME=FILE", value_parser = data)]
    data: Vec<(String, PathBuf)>,
}

/// The objective of a command, and its description in the metadata of files.
pub struct ChosenObjective {
    pub problem: Problem,
    /// The expression, if it is one.
    pub expression: Option<Expression>,
    /// Its text, box, range and files, if it is an expression.
    pub text: Option<Text>,
    /// Its name in the names of files: of an expression with what tells it from others of the same name.
    pub file: String,
    /// The files that its data come from.
    inputs: Vec<PathBuf>,
}

impl ChosenObjective {
    /// # Errors
    /// If one of `outputs` would replace a file that data come from.
    pub fn ensure_apart<'a>(&self, outputs: impl IntoIterator<Item = &'a Output>) -> Result<(), Error> {
        for output in outputs {
            if self.inputs.iter().any(|input| output.leads_to(input)) {
                let problem = "expected another file to write than one with data".to_owned();
                return Err(Error::Data { path: output.path().to_owned(), problem });
            }
        }
        Ok(())
    }

    /// The metadata of an experiment with its objective: `experiment`, and of an expression what it is.
    pub fn described(&self, mut experiment: Value) -> Value {
        if let Some(text) = &self.text {
            experiment["expression"] = json!(text);
        }
        experiment
    }
}

impl ExpressionOptions {
    /// True if any of them is given.
    pub fn is_given(&self) -> bool {
        self.expression.is_some() || self.companion().is_some()
    }

    /// The first option given of those that belong to an expression.
    fn companion(&self) -> Option<&'static str> {
        let given = [
            ("--box", self.bounds.is_some()),
            ("--range", self.range.is_some()),
            ("--name", self.name.is_some()),
            ("--data", !self.data.is_empty()),
        ];
        given.into_iter().find_map(|(option, is_given)| is_given.then_some(option))
    }

    /// The objective: the function of this name, or the expression.
    pub fn objective(&self, function: Option<&str>) -> Result<ChosenObjective> {
        let given = |given: &str| given.to_owned();
        let wrong = |name, expected, given| Err(Error::Setting { name, expected, given }.into());
        const OBJECTIVE: &str = "the objective";
        let Some(text) = &self.expression else {
            if let Some(option) = self.companion() {
                return wrong(
                    OBJECTIVE,
                    "an --expression; --box, --range, --name and --data are for one alone",
                    given(option),
                );
            }
            let Some(function) = function else {
                return wrong(
                    OBJECTIVE,
                    "a function, see `overparam list`, or --expression TEXT --box LO,HI",
                    given("none"),
                );
            };
            let problem = settings::problem(function)?;
            let file = problem.name().to_owned();
            return Ok(ChosenObjective { file, problem, expression: None, text: None, inputs: Vec::new() });
        };
        if let Some(function) = function {
            return wrong(
                OBJECTIVE,
                "either a function or an --expression",
                format!("both '{function}' and an expression"),
            );
        }
        let Some(Pair(bounds)) = self.bounds else {
            return wrong("--box", "given as LO,HI with an --expression", given("left out"));
        };
        ordered("--box", bounds)?;
        let numbers = self.read()?;
        // Another file of the same name makes another expression.
        let described = |((name, path), (_, numbers)): (&(String, PathBuf), &(String, Data))| {
            (name.clone(), DataFile::new(std::path::absolute(path).unwrap_or_else(|_| path.clone()), numbers))
        };
        let data = self.data.iter().zip(&numbers).map(described).collect();
        let mut expression = Expression::parse(text, bounds, numbers)?;
        if let Some(Pair([lo, hi])) = self.range {
            ordered("--range", [lo, hi])?;
            expression = expression.range(lo, hi);
        }
        let range = self.range.map(|Pair(range)| range);
        let text = Text { text: text.clone(), bounds, range, data };
        let inputs = self.data.iter().map(|(_, path)| path.clone()).collect();
        // Not by the folders that its data are in.
        let hashes: BTreeMap<_, _> = text.data.iter().map(|(name, data)| (name, &data.hash)).collect();
        let mark = format!("{:08x}", hash(&json!([text.text, text.bounds, text.range, hashes]).to_string()));
        let (name, file) = match &self.name {
            Some(name) => (checked(name)?, format!("{name}-{mark}")),
            None => (format!("expression-{mark}"), format!("expression-{mark}")),
        };
        let expression = expression.named(name);
        Ok(ChosenObjective {
            problem: Problem::from(&expression),
            expression: Some(expression),
            text: Some(text),
            file,
            inputs,
        })
    }

    /// The data, each file once.
    fn read(&self) -> Result<Vec<(String, Data)>, Error> {
        self.data.iter().map(|(name, path)| Ok((name.clone(), Data::read(path)?))).collect()
    }
}

/// A name for tables and files.
fn checked(name: &str) -> Result<String, Error> {
    let expected = if name.parse::<Function>().is_ok() {
        "another name than that of a built-in function"
    } else if name.is_empty() || name.len() > 60 || !name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) {
        "of at most 60 letters, digits, -, _ and ."
    } else {
        return Ok(name.to_owned());
    };
    Err(Error::Setting { name: "--name", expected, given: format!("'{}'", name.escape_debug()) })
}

fn ordered(name: &'static str, [lo, hi]: [f64; 2]) -> Result<(), Error> {
    if lo < hi && (hi - lo).is_finite() {
        return Ok(());
    }
    Err(Error::Setting {
        name,
        expected: "two finite numbers LO,HI with LO < HI and a finite difference",
        given: format!("{},{}", number(lo), number(hi)),
    })
}

/// Two numbers.
#[derive(Clone, Copy)]
struct Pair([f64; 2]);

fn pair(text: &str) -> Result<Pair, String> {
    let numbers = text.split_once(',').and_then(|(lo, hi)| Some([lo.trim().parse().ok()?, hi.trim().parse().ok()?]));
    numbers.map(Pair).ok_or_else(|| "expected two numbers LO,HI such as -5.12,5.12".to_owned())
}

fn data(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.trim().is_empty() && !file.is_empty() => Ok((name.trim().to_owned(), file.into())),
        _ => Err("expected NAME=FILE such as A=matrix.csv".to_owned()),
    }
}
